// SPDX-License-Identifier: Apache-2.0

package roomtool

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"touchstone.example/api/canonjson"
)

// MaxLine is the longest line that is read, in bytes. It is far above the size of
// an event, so that what is too large for one is said to be that.
const MaxLine = 1 << 20

var errLongLine = fmt.Errorf("the line is longer than %d bytes", MaxLine)

// A place is where something was read.
type place struct {
	file string
	line int
}

func (p place) String() string { return fmt.Sprintf("%s:%d", p.file, p.line) }

// An inputError says what cannot be read, and where.
type inputError struct {
	place
	err error
}

func (e *inputError) Error() string {
	if e.line == 0 {
		return e.file + ": " + e.err.Error()
	}
	return e.place.String() + ": " + e.err.Error()
}

func (e *inputError) Unwrap() error { return e.err }

// readObjects reads JSON lines: one object a line, blank lines left out. It hands
// out each line with its number; the bytes are the caller's to keep.
func readObjects(file string, r io.Reader, each func(at place, object []byte) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for at := (place{file, 1}); ; at.line++ {
		line, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return &inputError{at, err}
		}
		last := err != nil
		if at.line == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if object := bytes.TrimSpace(line); len(object) > 0 {
			if err := checkObject(object); err != nil {
				return &inputError{at, err}
			}
			if err := each(at, object); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

// readLine reads up to the end of a line, or of the input with io.EOF.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > MaxLine+1 { // one more for the newline
			return nil, errLongLine
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			if err == nil {
				line = line[:len(line)-1]
			}
			if len(line) > MaxLine {
				return nil, errLongLine
			}
			return line, err
		}
	}
}

// checkObject tells whether a line is one JSON object. Whether its numbers are
// what a room version wants is not decided here.
func checkObject(line []byte) error {
	if line[0] == '[' {
		return errors.New("is a JSON array: write one event a line, as jq -c '.[]' does")
	}
	b, err := canonjson.Append(nil, line, canonjson.Lenient)
	if err != nil {
		return fmt.Errorf("is not JSON: %w", err)
	}
	if b[0] != '{' {
		return errors.New("is not a JSON object")
	}
	return nil
}
