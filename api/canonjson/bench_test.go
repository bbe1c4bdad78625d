// SPDX-License-Identifier: Apache-2.0

package canonjson

import "testing"

// An event of about a kilobyte, as a client's server sends it and in canonical
// form.
const (
	pdu = `{"type":"m.room.message","room_id":"!jEsUZKDJdhlrceRyVU:example.org","sender":"@alice:example.org",` +
		`"content":{"msgtype":"m.text","body":"Grüße aus Köln 😀 and a \"quoted\" line\nwith a break, long enough to look like one",` +
		`"m.relates_to":{"rel_type":"m.thread","event_id":"$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg","is_falling_back":true,` +
		`"m.in_reply_to":{"event_id":"$acR1l0raoZnm60CBwAVgqbZqoO_mYU81xysh1u7XcJk"}}},"origin_server_ts":1735689600000,"depth":4711,` +
		`"prev_events":["$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg"],` +
		`"auth_events":["$CD66HAED5npg6074c6pDtLKalHjVfYb2q4Q3LZgrW6o","$acR1l0raoZnm60CBwAVgqbZqoO_mYU81xysh1u7XcJk"],` +
		`"hashes":{"sha256":"thisHashCoversAllFieldsInCaseThisIsRedacted"},` +
		`"signatures":{"example.org":{"ed25519:key1":"these86bytesOfBase64SignatureCoverEssentialFieldsIncludingHashesSoCanCheckRedactedPDUs"}},` +
		`"unsigned":{"age_ts":922834800000}}`
	pduCanonical = `{"auth_events":["$CD66HAED5npg6074c6pDtLKalHjVfYb2q4Q3LZgrW6o","$acR1l0raoZnm60CBwAVgqbZqoO_mYU81xysh1u7XcJk"],` +
		`"content":{"body":"Grüße aus Köln 😀 and a \"quoted\" line\nwith a break, long enough to look like one",` +
		`"m.relates_to":{"event_id":"$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg","is_falling_back":true,` +
		`"m.in_reply_to":{"event_id":"$acR1l0raoZnm60CBwAVgqbZqoO_mYU81xysh1u7XcJk"},"rel_type":"m.thread"},"msgtype":"m.text"},` +
		`"depth":4711,"hashes":{"sha256":"thisHashCoversAllFieldsInCaseThisIsRedacted"},"origin_server_ts":1735689600000,` +
		`"prev_events":["$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg"],"room_id":"!jEsUZKDJdhlrceRyVU:example.org",` +
		`"sender":"@alice:example.org","signatures":{"example.org":{"ed25519:key1":"these86bytesOfBase64SignatureCoverEssentialFieldsIncludingHashesSoCanCheckRedactedPDUs"}},` +
		`"type":"m.room.message","unsigned":{"age_ts":922834800000}}`
)

func BenchmarkAppend(b *testing.B) {
	for name, in := range map[string]string{"unsorted": pdu, "canonical": pduCanonical} {
		b.Run(name, func(b *testing.B) {
			src, dst := []byte(in), make([]byte, 0, 2*len(in))
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Append(dst, src, Strict); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
