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

// MaxLine is the maximum length of a line, in bytes. It is far larger than an
// event may be, so that an event that is too large gets a proper error.
const MaxLine = 1 << 20

var errLongLine = fmt.Errorf("the line is longer than %d bytes", MaxLine)

// A position is a position in the input: file and line.
type position struct {
	file string
	line int
}

func (p position) String() string { return fmt.Sprintf("%s:%d", p.file, p.line) }

// An inputError is an error with its position in the input.
type inputError struct {
	position
	err error
}

func (e *inputError) Error() string {
	if e.line == 0 {
		return e.file + ": " + e.err.Error()
	}
	return e.position.String() + ": " + e.err.Error()
}

func (e *inputError) Unwrap() error { return e.err }

// readObjects reads JSON lines: one object per line; blank lines are skipped.
// It calls each for every line; each may keep the bytes.
func readObjects(file string, r io.Reader, each func(at position, object []byte) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for at := (position{file, 1}); ; at.line++ {
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

// readLine reads to the end of the line; at the end of the input the error is
// io.EOF.
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

// checkObject checks that a line is one JSON object. It does not check whether
// its numbers are allowed in the room version.
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
