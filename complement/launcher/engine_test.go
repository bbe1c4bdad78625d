// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLifeOfAServer(t *testing.T) {
	b := newTestEngine(t)
	id := b.create("one", request(imageName, "hs1"))
	b.expect(id, "created", 0)
	b.startAndWait(id)
	b.expect(id, "running", 0)
	require.Equal(t, 1, b.starts(id))
	status, _ := b.call("POST", "/containers/"+id+"/start", nil)
	require.Equal(t, 304, status, "it runs already")
	before := b.clientURL(id)

	b.mustDo(id, "stop?t=20")
	b.expect(id, "exited", 0)
	require.Contains(t, b.logs(id), "fake homeserver hs1: start 1\nstopped cleanly\n")
	_, err := http.Get(before)
	require.Error(t, err, "the port is closed")
	status, _ = b.call("POST", "/containers/"+id+"/stop", nil)
	require.Equal(t, 304, status, "it is stopped already")

	b.startAndWait(id)
	require.Equal(t, 2, b.starts(id), "its files are as the last run left them")
	require.Equal(t, before, b.clientURL(id), "it keeps its ports")

	b.mustDo(id, "restart?t=20")
	b.ready(id)
	require.Equal(t, 3, b.starts(id))

	b.mustDo(id, "kill?signal=KILL")
	b.expect(id, "exited", 128+9)
	status, out := b.call("POST", "/containers/"+id+"/kill", nil)
	require.Equal(t, 409, status, out)

	status, _ = b.call("DELETE", "/containers/"+id, nil)
	require.Equal(t, 204, status)
	require.Empty(t, b.list("/containers/json?all=1", ""))
	left, err := os.ReadDir(b.e.dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestKeepLeavesTheFiles(t *testing.T) {
	b := newTestEngine(t)
	b.e.keep = true
	id := b.create("one", request(imageName, "hs1"))
	b.startAndWait(id)
	status, _ := b.call("DELETE", "/containers/"+id+"?force=1", nil)
	require.Equal(t, 204, status)
	require.Empty(t, b.list("/containers/json?all=1", ""))
	require.FileExists(t, b.e.dir+"/one-"+id[:12]+"/data/starts")
	require.FileExists(t, b.e.dir+"/one-"+id[:12]+".log")
}

func TestAServerThatDoesNotStopIsKilled(t *testing.T) {
	b := newTestEngine(t)
	id := b.create("one", request(imageName, "hs1", "STUBBORN=1"))
	b.startAndWait(id)
	b.mustDo(id, "stop?t=0")
	b.expect(id, "exited", 128+9)
}

func TestASignalIsPassedOn(t *testing.T) {
	b := newTestEngine(t)
	id := b.create("one", request(imageName, "hs1"))
	b.startAndWait(id)
	c, err := b.e.find(id)
	require.NoError(t, err)
	done := c.current().done
	b.mustDo(id, "kill?signal=SIGTERM")
	<-done
	b.expect(id, "exited", 0)
}

func TestACrashClosesThePorts(t *testing.T) {
	b := newTestEngine(t)
	id := b.create("one", request(imageName, "hs1"))
	b.startAndWait(id)
	c, err := b.e.find(id)
	require.NoError(t, err)
	done, url := c.current().done, b.clientURL(id)
	_, err = http.Post(url+"/exit", "", nil)
	require.Error(t, err)
	<-done
	b.expect(id, "exited", 7)
	_, err = http.Get(url)
	require.Error(t, err)
}

func TestPause(t *testing.T) {
	b := newTestEngine(t)
	id := b.create("one", request(imageName, "hs1"))
	status, _ := b.call("POST", "/containers/"+id+"/pause", nil)
	require.Equal(t, 409, status, "it does not run")
	b.startAndWait(id)
	server := b.clientURL(id)

	b.mustDo(id, "pause")
	b.expect(id, "paused", 0)
	require.Len(t, b.list("/containers/json?", ""), 1, "a paused server counts as running")
	answered := make(chan error)
	go func() {
		resp, err := http.Get(server + "/starts")
		if err == nil {
			err = resp.Body.Close()
		}
		answered <- err
	}()
	b.mustDo(id, "unpause")
	require.NoError(t, <-answered)
	b.expect(id, "running", 0)

	b.mustDo(id, "pause")
	b.mustDo(id, "stop?t=20")
	b.expect(id, "exited", 0)
	require.Contains(t, b.logs(id), "stopped cleanly", "it woke up to stop")
}

func TestCommit(t *testing.T) {
	b := newTestEngine(t)
	id := b.create("one", request(imageName, "hs1"))
	b.startAndWait(id)
	commit := "/commit?repo=localhost/complement&tag=csapi.hs1&container=" + id + "&changes=" +
		url.QueryEscape(`LABEL "access_token_@a:hs1"="to=ken"`)
	status, out := b.call("POST", commit, map[string]any{})
	require.Equal(t, 409, status, out)
	b.mustDo(id, "stop?t=20")
	status, out = b.call("POST", commit, map[string]any{})
	require.Equal(t, 201, status, out)
	image := out["Id"].(string)

	found := b.list("/images/json?", `{"label":{"complement_hs_name=hs1":true}}`)
	require.Len(t, found, 1)
	require.Equal(t, []any{"localhost/complement:csapi.hs1"}, found[0]["RepoTags"])
	labels := map[string]any{"complement_hs_name": "hs1", "access_token_@a:hs1": "to=ken"}
	require.Equal(t, labels, found[0]["Labels"])

	copied := b.create("two", request(image, "hs1"))
	b.startAndWait(copied)
	require.Equal(t, 2, b.starts(copied), "it goes on from the committed files")
	b.mustDo(copied, "kill")
	b.startAndWait(id)
	require.Equal(t, 2, b.starts(id), "and has its own")
	status, _ = b.raw("DELETE", "/images/"+image, nil)
	require.Equal(t, 200, status)
	require.Len(t, b.list("/images/json?", ""), 1)

	status, out = b.call("POST", "/commit?container="+id+"&changes="+url.QueryEscape("EXPOSE 1"), map[string]any{})
	require.Equal(t, 501, status, out)
}

func TestServersKnowEachOther(t *testing.T) {
	b := newTestEngine(t)
	ids := map[string]string{}
	for _, name := range []string{"hs1", "hs2", "other"} {
		ids[name] = b.create(name, request(imageName, name))
		b.startAndWait(ids[name])
	}
	for _, c := range []struct{ from, to string }{{"hs1", "hs2"}, {"hs2", "hs1"}, {"other", "hs1"}} {
		got := b.get(ids[c.from], "/fetch?url=https://"+c.to+":8448/_matrix/client/versions")
		require.Equal(t, `{"versions":["v1.19"]}`, got, "%s asks %s", c.from, c.to)
	}
	require.Contains(t, b.get(ids["hs1"], "/fetch?url=https://nobody:8448/"), "nobody")

	here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "the test") }))
	defer here.Close()
	_, port, err := splitURL(here.URL)
	require.NoError(t, err)
	require.Equal(t, "the test", b.get(ids["hs1"], "/fetch?url=http://host.docker.internal:"+port))
}

func splitURL(raw string) (host, port string, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", "", err
	}
	return u.Hostname(), u.Port(), nil
}

func TestANameLeadsToTheNewestServer(t *testing.T) {
	b := newTestEngine(t)
	first := b.create("first", request(imageName, "hs1"))
	b.startAndWait(first)
	second := b.create("second", request(imageName, "hs1"))
	b.startAndWait(second)
	b.mustDo(second, "restart")
	b.ready(second)
	peer := b.create("peer", request(imageName, "hs2"))
	b.startAndWait(peer)
	require.Equal(t, "2", b.get(peer, "/fetch?url=https://hs1:8448/starts"))
	require.Equal(t, 1, b.starts(first), "the older one goes on by itself")

	elsewhere := request(imageName, "hs1")
	elsewhere["NetworkingConfig"] = map[string]any{"EndpointsConfig": map[string]any{
		b.network("another"): map[string]any{"Aliases": []string{"hs1"}},
	}}
	third := b.create("third", elsewhere)
	b.startAndWait(third)
	addresses := map[string]bool{}
	for _, id := range []string{first, second, third} {
		addresses[b.get(id, "/env?name=BIND_ADDRESS")] = true
	}
	require.Len(t, addresses, 3)
}

func TestAFullNetwork(t *testing.T) {
	n := newNetwork("net", nil, "127.64.0.")
	for i := firstOther; i <= lastOther; i++ {
		ip, err := n.join([]string{fmt.Sprintf("server%d", i)})
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("127.64.0.%d", i), ip)
	}
	_, err := n.join([]string{"one too many"})
	require.ErrorContains(t, err, "full")
	ip, err := n.join([]string{"hs19", "also"})
	require.NoError(t, err)
	require.Equal(t, "127.64.0.20", ip)
	require.Equal(t, ip, n.names["also"])
}

func TestNetworks(t *testing.T) {
	b := newTestEngine(t)
	id := b.create("one", request(imageName, "hs1"))
	b.startAndWait(id)
	status, out := b.call("DELETE", "/networks/"+b.net, nil)
	require.Equal(t, 403, status)
	require.Contains(t, out["message"], "one")
	b.mustDo(id, "kill")
	status, _ = b.call("DELETE", "/networks/"+b.net, nil)
	require.Equal(t, 204, status)
	require.Empty(t, b.list("/networks?", ""))
	status, _ = b.call("DELETE", "/networks/"+b.net, nil)
	require.Equal(t, 404, status)

	held := map[string]bool{}
	for i := range 600 { // more than fit into a block
		prefix, err := b.e.freePrefix()
		require.NoError(t, err)
		require.Equal(t, i >= 255, held[prefix])
		held[prefix] = true
	}
	for i := range 255 {
		b.network(fmt.Sprint(i))
	}
	status, out = b.call("POST", "/networks/create", map[string]any{"Name": "one too many"})
	require.Equal(t, 500, status, out)
}

func TestFilters(t *testing.T) {
	b := newTestEngine(t)
	b.create("one", request(imageName, "hs1"))
	b.create("two", request(imageName, "hs2"))
	for filter, want := range map[string]int{
		``:                                      2,
		`{}`:                                    2,
		`{"label":{"complement_hs_name":true}}`: 2,
		`{"label":{"complement_hs_name=hs1":true}}`:                     1,
		`{"label":["complement_hs_name=hs1"]}`:                          1,
		`{"label":["complement_hs_name=hs1","complement_hs_name"]}`:     1,
		`{"label":["complement_hs_name=hs1","complement_hs_name=hs2"]}`: 0,
		`{"label":{"complement_hs":true}}`:                              0,
		`{"label":{"complement_hs_name=":true}}`:                        0,
	} {
		require.Len(t, b.list("/containers/json?all=1", filter), want, filter)
	}
	require.Empty(t, b.list("/containers/json?", ""), "none of them runs")
	require.Len(t, b.list("/networks?", `{"label":{"complement_pkg=test":true}}`), 1)
	require.Empty(t, b.list("/networks?", `{"label":{"complement_pkg=other":true}}`))

	status, out := b.call("GET", "/networks?filters="+url.QueryEscape(`{"name":{"net":true}}`), nil)
	require.Equal(t, 501, status, out)
	status, out = b.call("GET", "/networks?filters=x", nil)
	require.Equal(t, 400, status, out)
}

func TestRefusals(t *testing.T) {
	b := newTestEngine(t)
	change := func(key string, value any) map[string]any {
		req := request(imageName, "hs1")
		req[key] = value
		return req
	}
	id := b.create("one", request(imageName, "hs1"))
	for _, c := range []struct {
		method, path string
		body         any
		status       int
		message      string
	}{
		{"POST", "/containers/create?name=one", request(imageName, "hs1"), 409, "the container name one is in use"},
		{"POST", "/containers/create?name=two", request("nobody/knows", "hs1"), 404, "No such image: nobody/knows"},
		{"POST", "/containers/create?name=two", change("NetworkingConfig", nil), 400, "the container two is in no network"},
		{"POST", "/containers/create?name=two", change("HostConfig", map[string]any{"Mounts": []any{map[string]string{"Source": "/"}}}), 501, "the launcher mounts nothing into servers: unset COMPLEMENT_HOST_MOUNTS"},
		{"POST", "/containers/create?name=../two", request(imageName, "hs1"), 400, `"../two" is no name for a container`},
		{"POST", "/containers/create?name=two", []byte("{"), 400, "body of /containers/create: unexpected EOF"},
		{"POST", "/containers/" + id + "/stop?t=soon", nil, 400, `t: strconv.Atoi: parsing "soon": invalid syntax`},
		{"POST", "/containers/" + id + "/kill?signal=LOUD", nil, 400, "unknown signal LOUD"},
		{"POST", "/containers/none/start", nil, 404, "No such container: none"},
		{"GET", "/containers/none/json", nil, 404, "No such container: none"},
		{"GET", "/containers/none/logs", nil, 404, "No such container: none"},
		{"DELETE", "/images/none", nil, 404, "No such image: none"},
		{"POST", "/volumes/create", nil, 501, "the launcher has no POST /volumes/create: it imitates only what Complement uses"},
	} {
		status, out := b.call(c.method, c.path, c.body)
		require.Equal(t, c.status, status, "%s %s: %v", c.method, c.path, out)
		require.Equal(t, c.message, out["message"])
	}
	require.Len(t, b.list("/containers/json?all=1", ""), 1, "a refused container does not exist")

	status, out := b.call("POST", "/containers/create?name=small", change("HostConfig", map[string]any{"Memory": 1 << 20}))
	require.Equal(t, 201, status)
	require.Equal(t, []any{"the launcher does not limit processors or memory"}, out["Warnings"])

	b.startAndWait(id)
	status, out = b.call("DELETE", "/containers/"+id, nil)
	require.Equal(t, 409, status, out)
	status, _ = b.call("DELETE", "/containers/one?force=1", nil)
	require.Equal(t, 204, status, "by its name, too")
}

func TestPing(t *testing.T) {
	b := newTestEngine(t)
	for _, path := range []string{"/_ping", "/v1.45/_ping"} {
		resp, err := http.Head(b.url + path)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 200, resp.StatusCode)
		require.Equal(t, "1.45", resp.Header.Get("Api-Version"), "clients agree on a version by it")
	}
}
