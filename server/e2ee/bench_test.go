// SPDX-License-Identifier: Apache-2.0

package e2ee_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-json-experiment/json"

	"touchstone.example/storage/storagetest"
	"touchstone.example/tests/slicetest"
)

// benchEach runs a benchmark on a file of SQLite and on PostgreSQL.
func benchEach(b *testing.B, fn func(b *testing.B, f *fixture)) {
	b.Run("sqlite", func(b *testing.B) { fn(b, newFixture(b, storagetest.OpenURL(b, "sqlite://"+b.TempDir()+"/bench.db"))) })
	b.Run("postgres", func(b *testing.B) { fn(b, newFixture(b, storagetest.OpenURL(b, storagetest.PostgresURL(b)))) })
}

// post sends a request as a device, without a test's care.
func (d *device) post(path, body string) int {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+d.token)
	w := httptest.NewRecorder()
	d.f.router.ServeHTTP(w, r)
	return w.Code
}

func text(b *testing.B, body slicetest.O) string {
	t, err := json.Marshal(body)
	if err != nil {
		b.Fatal(err)
	}
	return string(t)
}

// BenchmarkUploadKeys is 16 clients that upload 10 one-time keys each time.
func BenchmarkUploadKeys(b *testing.B) {
	benchEach(b, func(b *testing.B, f *fixture) {
		var devices []*device
		for i := range 64 {
			devices = append(devices, f.register(fmt.Sprint("user", i), fmt.Sprint("D", i)))
		}
		key := devices[0].oneTime("x")["signed_curve25519:x"]
		var n atomic.Int64
		b.SetParallelism(8)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				i := n.Add(1)
				d, keys := devices[i%64], slicetest.O{}
				for k := range 10 {
					keys[fmt.Sprint("signed_curve25519:k", (i/64%90)*10+int64(k))] = key
				}
				if code := d.post(pathUpload, text(b, slicetest.O{"one_time_keys": keys})); code != 200 {
					b.Errorf("upload: %d", code)
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "uploads/s")
	})
}

// BenchmarkClaimKeys is 16 clients that each claim keys of 50 devices at once, as
// for a room.
func BenchmarkClaimKeys(b *testing.B) {
	benchEach(b, func(b *testing.B, f *fixture) {
		const devices, each = 50, 1000
		asker := f.register("asker", "A")
		wanted := slicetest.O{}
		for i := range devices {
			d := f.register(fmt.Sprint("user", i), "D")
			keys := slicetest.O{}
			key := d.oneTime("x")["signed_curve25519:x"]
			for k := range each {
				keys[fmt.Sprint("signed_curve25519:k", k)] = key
			}
			d.upload(slicetest.O{"one_time_keys": keys})
			wanted[d.user] = slicetest.O{"D": "signed_curve25519"}
		}
		body := text(b, slicetest.O{"one_time_keys": wanted})
		b.SetParallelism(8)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if code := asker.post(slicetest.Path("v3/keys/claim"), body); code != 200 {
					b.Errorf("claim: %d", code)
				}
			}
		})
		b.ReportMetric(float64(b.N*devices)/b.Elapsed().Seconds(), "claims/s")
	})
}
