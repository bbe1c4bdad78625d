// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"io"
	"net"
	"sync"
)

// forwards are the published ports of a running container: listeners on
// 127.0.0.1 that forward connections to the server's address.
type forwards []net.Listener

// forwardAll publishes both ports. It uses the host ports of the previous run
// if they are free, and records new ones.
func forwardAll(ip string, hostPorts map[string]string) (forwards, error) {
	var all forwards
	for _, port := range []string{clientPort, federationPort} {
		l, err := listenAgain(hostPorts[port+"/tcp"])
		if err != nil {
			all.close()
			return nil, err
		}
		_, hostPorts[port+"/tcp"], _ = net.SplitHostPort(l.Addr().String())
		all = append(all, l)
		go forward(l, net.JoinHostPort(ip, port))
	}
	return all, nil
}

func listenAgain(port string) (net.Listener, error) {
	if port != "" {
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
			return l, nil
		}
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

func (f forwards) close() {
	for _, l := range f {
		l.Close()
	}
}

// forward runs until its listener is closed. Its connections end when the
// server's process ends.
func forward(l net.Listener, to string) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer in.Close()
			out, err := net.Dial("tcp", to)
			if err != nil {
				return // the server does not listen yet; Complement retries
			}
			defer out.Close()
			var both sync.WaitGroup
			both.Go(func() { pipe(out, in) })
			pipe(in, out)
			both.Wait()
		}()
	}
}

// pipe copies one direction of a connection until it ends.
func pipe(to, from net.Conn) {
	io.Copy(to, from)
	if tcp, ok := to.(*net.TCPConn); ok {
		tcp.CloseWrite()
	}
}
