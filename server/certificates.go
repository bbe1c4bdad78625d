// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"touchstone.example/server/config"
)

// A certificate is a listener's TLS certificate. It can be reloaded while connections
// are open: later handshakes use the new one.
type certificate struct {
	at      config.TLSListener
	name    string // of the listener
	current atomic.Pointer[tls.Certificate]
}

// read loads the files. If they are invalid, the certificate is not changed.
func (c *certificate) read() error {
	pair, err := tls.LoadX509KeyPair(c.at.TLSCertFile, c.at.TLSKeyFile)
	if err != nil {
		return fmt.Errorf("certificate of the %s listener: %w", c.name, err)
	}
	c.current.Store(&pair)
	return nil
}

// config is a listener's TLS configuration.
func (c *certificate) config() *tls.Config {
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil }}
}

// ReloadOn reloads the certificates at each signal, until the server stops.
func (l *Listeners) ReloadOn(signals <-chan os.Signal) {
	l.serving.Go("reload certificates", func(ctx context.Context) error {
		for {
			select {
			case <-signals:
			case <-ctx.Done():
				return nil
			}
			if len(l.certificates) == 0 {
				l.log.InfoContext(ctx, "no listener has a certificate to reload")
			} else if err := l.reloadCertificates(); err != nil {
				l.log.ErrorContext(ctx, "certificates were not reloaded; the old ones stay in use", "error", err)
			} else {
				l.log.InfoContext(ctx, "certificates reloaded")
			}
		}
	})
}

// reloadCertificates reloads the certificates of all listeners. A listener with invalid
// files keeps its certificate.
func (l *Listeners) reloadCertificates() error {
	var errs []error
	for _, c := range l.certificates {
		errs = append(errs, c.read())
	}
	return errors.Join(errs...)
}
