// SPDX-License-Identifier: Apache-2.0

package roomtool

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"touchstone.example/api/canonjson"
	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/roomver"
)

// The commands of this file process each event by itself.

// eachLine calls do for each line. It reports an error with its position and
// continues.
func (r *run) eachLine(files []string, do func(l line) error) (bool, error) {
	lines, err := r.readLines(files)
	if err != nil {
		return false, err
	}
	good := true
	for _, l := range lines {
		if err := do(l); err != nil {
			good = false
			fmt.Fprintf(r.Err, "touchstone room: %s: %s\n", l.position, printable(err.Error()))
		}
	}
	return good, nil
}

var redactCommand = command{
	name:    "redact",
	args:    "[file ...]",
	summary: "strip events of what a redaction removes",
	text: `Writes each event redacted by the algorithm of the room version, in canonical JSON.
The event may be incomplete. Its ID stays the same.`,
	examples: [][2]string{
		{"touchstone room redact room.jsonl", "redact every event"},
		{"touchstone room redact --room-version 11 message.jsonl", "redact an event without its room"},
	},
	prepare: func(r *run, fs *flag.FlagSet) func([]string) (bool, error) {
		r.flagVersion(fs)
		return func(files []string) (bool, error) {
			return r.eachLine(files, func(l line) error {
				redacted, err := event.RedactJSON(r.rules, l.object)
				if err != nil {
					return err
				}
				return r.writeLine(redacted)
			})
		}
	},
}

func (r *run) writeLine(b []byte) error {
	_, err := r.out.Write(append(slices.Clip(b), '\n'))
	return err
}

var hashCommand = command{
	name:    "hash",
	args:    "[file ...]",
	summary: "compute content hashes, reference hashes and event IDs",
	text: `Computes the hashes and the ID of each event, and compares the content hash with
the one in the event. The event may be incomplete; the hashes then cover only the
members that it has. Hashes are in unpadded base64.`,
	examples: [][2]string{
		{"touchstone room hash room.jsonl", "all hashes of a room"},
		{"touchstone room hash --only event-id --room-version 11 message.jsonl", "an ID alone, for a script"},
		{"touchstone room hash --json room.jsonl", "for other programs: one object per line"},
	},
	prepare: func(r *run, fs *flag.FlagSet) func([]string) (bool, error) {
		r.flagVersion(fs)
		r.flagJSON(fs)
		only := fs.String("only", "", "write nothing but `WHAT`: event-id, content-hash or reference-hash")
		return func(files []string) (bool, error) {
			if !slices.Contains([]string{"", "event-id", "content-hash", "reference-hash"}, *only) {
				return false, usagef("--only %q is none of event-id, content-hash and reference-hash", *only)
			}
			return r.eachLine(files, func(l line) error {
				rep, err := hashes(r.rules, l)
				if err != nil {
					return err
				}
				return r.writeHashes(rep, *only)
			})
		}
	},
}

// A hashReport is the hashes of one event, for output.
type hashReport struct {
	File          string     `json:"file"`
	Line          int        `json:"line"`
	EventID       id.EventID `json:"event_id,omitzero"`
	ContentHash   string     `json:"content_hash"`
	Claimed       string     `json:"claimed_content_hash,omitzero"`
	ReferenceHash string     `json:"reference_hash"`
}

func hashes(rules *roomver.Rules, l line) (hashReport, error) {
	rep := hashReport{File: l.file, Line: l.line}
	content, err := event.ContentHash(rules, l.object)
	if err != nil {
		return rep, err
	}
	reference, err := event.ReferenceHash(rules, l.object)
	if err != nil {
		return rep, err
	}
	canonical, err := canonjson.Append(nil, l.object, canonjson.Lenient)
	if err != nil {
		return rep, err
	}
	rep.ContentHash, rep.ReferenceHash = event.EncodeBase64(content[:]), event.EncodeBase64(reference[:])
	rep.Claimed, _ = event.Text(event.Member(event.Member(canonical, "hashes"), "sha256"))
	rep.EventID = eventID(rules, canonical, reference)
	return rep, nil
}

// eventID returns the ID of an event with this reference hash.
func eventID(rules *roomver.Rules, canonical []byte, reference [sha256.Size]byte) id.EventID {
	encoded := event.EncodeBase64(reference[:])
	switch rules.EventID {
	case roomver.EventIDGiven:
		given, _ := event.Text(event.Member(canonical, "event_id"))
		return id.EventID(given)
	case roomver.EventIDHashURLSafe:
		encoded = strings.NewReplacer("+", "-", "/", "_").Replace(encoded)
	}
	return id.EventID("$" + encoded)
}

func (r *run) writeHashes(rep hashReport, only string) error {
	switch only {
	case "event-id":
		return r.writeLine([]byte(printable(string(rep.EventID))))
	case "content-hash":
		return r.writeLine([]byte(rep.ContentHash))
	case "reference-hash":
		return r.writeLine([]byte(rep.ReferenceHash))
	}
	if r.json {
		b, err := json.Marshal(rep)
		if err != nil {
			return err
		}
		return r.writeLine(b)
	}
	note := "(the event carries none)"
	switch {
	case rep.Claimed != "" && strings.TrimRight(rep.Claimed, "=") == rep.ContentHash:
		note = "(as the event says)"
	case rep.Claimed != "":
		note = "(the event says " + printable(rep.Claimed) + ")"
	}
	eventID := rep.EventID
	if eventID == "" {
		eventID = "-"
	}
	_, err := fmt.Fprintf(r.out, "%s\n  event ID        %s\n  content hash    %s %s\n  reference hash  %s\n",
		position{rep.File, rep.Line}, printable(string(eventID)), rep.ContentHash, note, rep.ReferenceHash)
	return err
}

var signCommand = command{
	name:    "sign",
	args:    "[file ...]",
	summary: "add the content hash and a signature",
	text: `Writes each event with its content hash and a signature of the server, in canonical
JSON. Other signatures stay; they remain valid only if the event had this content hash
before. The key file has the format of other servers, with lines "ed25519 NAME SEED",
or a seed of 32 bytes in base64 alone, for which --key-id is needed.`,
	examples: [][2]string{
		{"touchstone room sign --key signing.key --server one.example --room-version 11 message.jsonl", "sign with a server's key"},
		{"touchstone room sign --key seed.txt --key-id ed25519:1 --server one.example --room-version 11 message.jsonl", "sign with a seed"},
	},
	prepare: func(r *run, fs *flag.FlagSet) func([]string) (bool, error) {
		r.flagVersion(fs)
		key := fs.String("key", "", "the `FILE` with the signing key")
		keyID := fs.String("key-id", "", "the `ID` of the key, as ed25519:1 (default: the first one in the file)")
		server := fs.String("server", "", "the `NAME` of the server that signs")
		return func(files []string) (bool, error) {
			signer, err := r.signer(*key, *keyID, *server)
			if err != nil {
				return false, err
			}
			return r.eachLine(files, func(l line) error {
				signed, err := event.HashAndSign(r.rules, l.object, signer)
				if err != nil {
					return err
				}
				return r.writeLine(signed)
			})
		}
	},
}

func (r *run) signer(file, keyID, server string) (s event.Signer, err error) {
	if file == "" || server == "" {
		return s, usagef("say --key and --server")
	}
	name, err := id.ParseServerName(server)
	if err != nil {
		return s, usagef("--server: %s", err)
	}
	if keyID != "" {
		if _, err := id.ParseKeyID(keyID); err != nil {
			return s, usagef("--key-id: %s", err)
		}
	}
	err = r.readFile(file, func(name string, in io.Reader) error {
		s, err = readSigningKey(name, in, id.KeyID(keyID))
		return err
	})
	s.Name = name
	return s, err
}

var verifyCommand = command{
	name:    "verify",
	args:    "--keys FILE [file ...]",
	summary: "check content hashes and signatures",
	text: `Checks the content hash of each event, and the signatures that the specification
requires. Every signature is listed: valid, invalid, by an unknown key, or by an
expired key. The file of keys has any number of JSON objects: the keys that a
server publishes (GET /_matrix/key/v2/server),
a notary's answer, or simply {"server": {"ed25519:1": "base64"}}.`,
	examples: [][2]string{
		{"touchstone room verify --keys keys.json room.jsonl", "verify the events of a room"},
		{"touchstone room verify --keys keys.json --json room.jsonl", "for other programs: one object per line"},
	},
	prepare: func(r *run, fs *flag.FlagSet) func([]string) (bool, error) {
		r.flagVersion(fs)
		r.flagJSON(fs)
		file := fs.String("keys", "", "the `FILE` with the public keys of servers")
		return func(files []string) (bool, error) {
			if *file == "" {
				return false, usagef("say --keys")
			}
			keys, err := r.keys(*file)
			if err != nil {
				return false, err
			}
			good := true
			ran, err := r.eachLine(files, func(l line) error {
				rep, err := verifyLine(r.rules, keys, l)
				good = good && err == nil && rep.Valid
				if err != nil {
					return err
				}
				return r.writeVerified(rep)
			})
			return good && ran, err
		}
	},
}

func (r *run) keys(file string) (keys verifyKeys, err error) {
	err = r.readFile(file, func(name string, in io.Reader) error {
		keys, err = readVerifyKeys(name, in)
		return err
	})
	return keys, err
}

// A verifyReport is the signatures of one event with their results, for output.
type verifyReport struct {
	File        string            `json:"file"`
	Line        int               `json:"line"`
	EventID     id.EventID        `json:"event_id"`
	Valid       bool              `json:"valid"`
	ContentHash bool              `json:"content_hash_matches"`
	Required    []id.ServerName   `json:"required_signers"`
	Signatures  []signatureReport `json:"signatures"`
	Reasons     []string          `json:"reasons,omitzero"`
}

type signatureReport struct {
	Server id.ServerName  `json:"server"`
	KeyID  id.KeyID       `json:"key_id"`
	State  signatureState `json:"state"`
}

func verifyLine(rules *roomver.Rules, keys verifyKeys, l line) (verifyReport, error) {
	e, err := event.Parse(rules, l.object)
	if err != nil {
		return verifyReport{}, err
	}
	all := keys.signatures(e)
	rep := verifyReport{
		File: l.file, Line: l.line, EventID: e.ID, ContentHash: e.ContentHashMatches(), Required: e.RequiredSigners(),
	}
	for _, s := range all {
		rep.Signatures = append(rep.Signatures, signatureReport{s.server, s.keyID, s.state})
	}
	if err := verifies(e, all); err != nil {
		rep.Reasons = append(rep.Reasons, err.Error())
	}
	if !rep.ContentHash {
		rep.Reasons = append(rep.Reasons, "the content hash does not match: the event counts as redacted")
	}
	rep.Valid = len(rep.Reasons) == 0
	return rep, nil
}

func (r *run) writeVerified(rep verifyReport) error {
	if r.json {
		b, err := json.Marshal(rep)
		if err != nil {
			return err
		}
		return r.writeLine(b)
	}
	state := "good"
	if !rep.Valid {
		state = "BAD"
	}
	fmt.Fprintf(r.out, "%s  %-4s  %s\n", position{rep.File, rep.Line}, state, printable(string(rep.EventID)))
	for _, s := range rep.Signatures {
		fmt.Fprintf(r.out, "  %s  %s %s\n", pad(string(s.State), len(signatureUnknown)), printable(string(s.Server)), printable(string(s.KeyID)))
	}
	for _, reason := range rep.Reasons {
		fmt.Fprintf(r.out, "  %s\n", printable(reason))
	}
	return nil
}
