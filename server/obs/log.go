// SPDX-License-Identifier: Apache-2.0

// Package obs is the server's logs and metrics. It must not decide anything. A nil
// Metrics counts nothing.
package obs

import (
	"context"
	"io"
	"log/slog"
	"os"
	"slices"
)

// NewLogger returns a log that writes to w, in the format auto, text or json.
// Auto is text for people, when w is a terminal, and JSON for programs. Records
// carry the attributes of their context (see With).
func NewLogger(w io.Writer, level slog.Leveler, format string) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == "text" || format != "json" && isTerminal(w) {
		return slog.New(handler{slog.NewTextHandler(w, opts)})
	}
	return slog.New(handler{slog.NewJSONHandler(w, opts)})
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

type attrsKey struct{}

// With returns a context whose log records carry the attributes, such as the
// request's id. Never put a token, a password or an event's content there.
func With(ctx context.Context, attrs ...slog.Attr) context.Context {
	return context.WithValue(ctx, attrsKey{}, append(slices.Clip(fromContext(ctx)), attrs...))
}

func fromContext(ctx context.Context) []slog.Attr {
	attrs, _ := ctx.Value(attrsKey{}).([]slog.Attr)
	return attrs
}

// handler adds the attributes of the context to each record.
type handler struct{ slog.Handler }

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	r.AddAttrs(fromContext(ctx)...)
	return h.Handler.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name)}
}
