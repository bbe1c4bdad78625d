// SPDX-License-Identifier: Apache-2.0

package roomtool

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"touchstone.example/api/canonjson"
	"touchstone.example/api/id"
	"touchstone.example/server/event"
	"touchstone.example/server/eventauth"
	"touchstone.example/server/roomver"
)

var buildCommand = command{
	name:    "build",
	args:    "[file ...]",
	summary: "make a room of a short description",
	text: `Makes events from descriptions, one per line, and fills in the members that they
omit. The same descriptions always make the same room. A description is an object
with

  type, sender, content, state_key, redacts   as in the event; content may be omitted
  name      a name, by which the lines below can refer to the event
  after     names of its previous events (default: the line above)
  auth      names of its auth events (default: what the specification selects from
            the state before the event)
  ts, depth its time and depth (default: a second after the line above; one more
            than the previous events)
  signed_by further servers that sign the event
  spoil     "hash" or "signature", to make an event that fails that check

redacts may be a name. The first event is the create event; its room version is
content.room_version, or --room-version, or the default of the specification. Each
server signs with a key that is made of its name: these rooms are for tests only.`,
	examples: [][2]string{
		{"touchstone room build room.txt", "make a room"},
		{"touchstone room build --room-version 2 room.txt", "make it of another version"},
		{"touchstone room build --verify-keys room.txt", "the public keys of its servers, for check --keys"},
	},
	prepare: func(r *run, fs *flag.FlagSet) func([]string) (bool, error) {
		r.flagVersion(fs)
		verify := fs.Bool("verify-keys", false, "write the public keys of the servers instead")
		return func(files []string) (bool, error) {
			b := newBuilder(r.rules)
			if err := r.readFiles(files, b.addLine); err != nil {
				return false, err
			}
			if *verify {
				return true, r.writeJSON(b.verifyKeys())
			}
			for _, e := range b.events {
				if err := r.writeLine(e); err != nil {
					return false, err
				}
			}
			return true, nil
		}
	},
}

// A description is one line of build's input: the event to build.
type description struct {
	Name     string          `json:"name"`
	Type     string          `json:"type"`
	Sender   id.UserID       `json:"sender"`
	StateKey *string         `json:"state_key"`
	Content  jsontext.Value  `json:"content"`
	Redacts  string          `json:"redacts"`
	After    []string        `json:"after"`
	Auth     []string        `json:"auth"`
	TS       *int64          `json:"ts"`
	Depth    *int64          `json:"depth"`
	SignedBy []id.ServerName `json:"signed_by"`
	Spoil    string          `json:"spoil"`
}

// A builder builds a room event by event.
type builder struct {
	rules   *roomver.Rules
	checker *checker // nil before the first event
	roomID  id.RoomID
	names   map[string]*event.Event
	hashes  map[id.EventID][sha256.Size]byte
	last    *event.Event
	ts      int64
	keys    map[id.ServerName]event.Signer
	events  [][]byte
}

// firstTS is the time of the first event.
const firstTS = 1_700_000_000_000

func newBuilder(rules *roomver.Rules) *builder {
	return &builder{
		rules: rules, names: map[string]*event.Event{}, hashes: map[id.EventID][sha256.Size]byte{},
		ts: firstTS, keys: map[id.ServerName]event.Signer{},
	}
}

// addLine builds the event of one description.
func (b *builder) addLine(at position, object []byte) error {
	var d description
	if err := json.Unmarshal(object, &d, json.RejectUnknownMembers(true)); err != nil {
		return &inputError{at, err}
	}
	if err := b.make(at, &d); err != nil {
		return &inputError{at, err}
	}
	return nil
}

func (b *builder) make(at position, d *description) error {
	if b.checker == nil {
		if err := b.chooseVersion(d); err != nil {
			return err
		}
	}
	draft, err := b.draft(d)
	if err != nil {
		return err
	}
	e, err := event.Build(b.rules, draft, b.signer(d.Sender.Server()))
	if err != nil {
		return err
	}
	for _, server := range d.SignedBy {
		if e, err = e.Sign(b.signer(server)); err != nil {
			return err
		}
	}
	pdu, err := corrupt(e, d.Spoil)
	if err != nil {
		return err
	}
	b.events = append(b.events, pdu)
	// The room continues from the intact event, not from the corrupted one.
	b.checker.addEvent(at, e.PDU(), d.Name != "")
	b.roomID, b.last, b.ts = e.RoomID, e, draft.OriginServerTS+1000
	b.hashes[e.ID] = e.ReferenceHash()
	if d.Name != "" {
		if b.names[d.Name] != nil {
			return fmt.Errorf("the name %q is taken", d.Name)
		}
		b.names[d.Name] = e
	}
	return nil
}

// chooseVersion determines the version of the room.
func (b *builder) chooseVersion(d *description) error {
	if d.Type != event.TypeCreate {
		return errors.New("the first event is not an m.room.create")
	}
	if d.StateKey == nil {
		d.StateKey = new(string)
	}
	if *d.StateKey != "" {
		return errors.New("the m.room.create has a state key")
	}
	var content map[string]jsontext.Value
	if d.Content != nil {
		if err := json.Unmarshal(d.Content, &content); err != nil {
			return err
		}
	}
	if content == nil {
		content = map[string]jsontext.Value{}
	}
	version := roomver.Default
	if raw := content["room_version"]; raw != nil {
		version, _ = event.Text(raw)
	}
	if b.rules != nil {
		version = b.rules.Version
	}
	rules, ok := roomver.Get(version)
	if !ok {
		return fmt.Errorf("there is no room version %q", version)
	}
	if content["room_version"] == nil {
		content["room_version"] = jsontext.Value(`"` + version + `"`)
	}
	if content["creator"] == nil && rules.CreatorInContent {
		quoted, err := jsontext.AppendQuote(nil, d.Sender)
		if err != nil {
			return err
		}
		content["creator"] = quoted
	}
	var err error
	d.Content, err = json.Marshal(content, json.Deterministic(true))
	b.rules = rules
	b.checker = newChecker(newRoom(rules), nil)
	if !rules.RoomIDIsCreateHash {
		b.roomID = id.RoomID("!room:" + d.Sender.Server())
	}
	return err
}

// draft fills in the members that a description omits.
func (b *builder) draft(d *description) (event.Draft, error) {
	draft := event.Draft{
		RoomID: b.roomID, Sender: d.Sender, Type: d.Type, StateKey: d.StateKey, Content: d.Content,
		OriginServerTS: b.ts, ReferenceHashes: b.hashes,
	}
	if d.TS != nil {
		draft.OriginServerTS = *d.TS
	}
	if draft.Content == nil {
		draft.Content = jsontext.Value("{}")
	}
	// Auth events depend on the content, which is read in canonical form.
	canonical, err := canonjson.Append(nil, draft.Content, canonjson.Lenient)
	if err != nil {
		return draft, err
	}
	draft.Content = canonical
	if d.Redacts != "" {
		draft.Redacts = id.EventID(d.Redacts)
		if target := b.names[d.Redacts]; target != nil {
			draft.Redacts = target.ID
		}
	}
	after, err := b.named(d.After)
	if err != nil {
		return draft, err
	}
	if d.After == nil && b.last != nil {
		after = []*event.Event{b.last}
	}
	for _, e := range after {
		draft.PrevEvents = append(draft.PrevEvents, e.ID)
		draft.Depth = max(draft.Depth, e.Depth)
	}
	draft.Depth = event.DepthAfter(b.rules, draft.Depth)
	if d.Depth != nil {
		draft.Depth = *d.Depth
	}
	draft.AuthEvents, err = b.auth(d, draft)
	return draft, err
}

func (b *builder) named(names []string) ([]*event.Event, error) {
	var all []*event.Event
	for _, name := range names {
		e := b.names[name]
		if e == nil {
			return nil, fmt.Errorf("no event above is named %q", name)
		}
		all = append(all, e)
	}
	return all, nil
}

// auth returns the auth events of the description, or selects them.
func (b *builder) auth(d *description, draft event.Draft) ([]id.EventID, error) {
	if d.Auth != nil {
		named, err := b.named(d.Auth)
		var ids []id.EventID
		for _, e := range named {
			ids = append(ids, e.ID)
		}
		return ids, err
	}
	probe := &entry{}
	probe.prev, probe.missingPrev = b.checker.room.connect(draft.PrevEvents)
	before, err := b.checker.before(probe)
	if err != nil {
		return nil, err
	}
	var ids []id.EventID
	for _, key := range eventauth.AuthKeys(b.rules, d.Type, d.Sender, d.StateKey, draft.Content) {
		if eventID, ok := before.entries[key]; ok {
			ids = append(ids, eventID)
		}
	}
	return ids, nil
}

// addEvent adds one more event to the room and checks it. Later events can refer
// to it only if it is named or if they come next.
func (j *checker) addEvent(at position, pdu []byte, named bool) {
	e := j.room.add(at, pdu)
	i := len(j.room.entries) - 1
	j.keep[i] = named
	j.after, j.uses = append(j.after, nil), append(j.uses, 0)
	if e.result.Verdict != "" {
		return
	}
	e.prev, e.missingPrev = j.room.connect(e.ev.PrevEvents)
	e.auth, e.missingAuth = j.room.connect(e.ev.AuthEvents)
	for _, p := range e.prev {
		j.room.entries[p].children = append(j.room.entries[p].children, i)
	}
	j.checkOne(i)
}

// corrupt changes an event so that one of the checks fails. The ID of the event
// stays the same.
func corrupt(e *event.Event, what string) ([]byte, error) {
	if what == "" {
		return e.PDU(), nil
	}
	var members, part map[string]jsontext.Value
	if err := json.Unmarshal(e.PDU(), &members); err != nil {
		return nil, err
	}
	switch what {
	case "hash":
		if err := json.Unmarshal(members["content"], &part); err != nil {
			return nil, err
		}
		part["spoilt"] = jsontext.Value("true")
		what = "content"
	case "signature":
		part = map[string]jsontext.Value{}
		zeros := event.EncodeBase64(make([]byte, ed25519.SignatureSize))
		for server, keyID := range e.Signatures() {
			part[string(server)] = jsontext.Value(`{"` + string(keyID) + `":"` + zeros + `"}`)
		}
		what = "signatures"
	default:
		return nil, fmt.Errorf("spoil is neither hash nor signature but %q", what)
	}
	spoilt, err := json.Marshal(part, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	members[what] = spoilt
	return json.Marshal(members, json.Deterministic(true))
}

// signer returns the signing key of a server, which is derived from its name.
func (b *builder) signer(server id.ServerName) event.Signer {
	s, ok := b.keys[server]
	if !ok {
		seed := sha256.Sum256([]byte("touchstone room build\x00" + server))
		s = event.Signer{Name: server, KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(seed[:])}
		b.keys[server] = s
	}
	return s
}

func (b *builder) verifyKeys() map[id.ServerName]map[id.KeyID]string {
	all := map[id.ServerName]map[id.KeyID]string{}
	for server, s := range b.keys {
		all[server] = map[id.KeyID]string{s.KeyID: event.EncodeBase64(s.Key.Public().(ed25519.PublicKey))}
	}
	return all
}
