// SPDX-License-Identifier: Apache-2.0

package rooms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"touchstone.example/api"
	"touchstone.example/api/id"
	"touchstone.example/api/raw"
	"touchstone.example/generated/clientapi"
	"touchstone.example/server/event"
	"touchstone.example/server/idclient"
	"touchstone.example/server/roomver"
	"touchstone.example/storage"
)

// CreateRoom makes a room with all the events that the request implies, in the
// order that the specification gives, in one transaction.
//
// Spec: client-server createRoom.
func (r *Rooms) CreateRoom(ctx context.Context, who api.Caller, req *clientapi.CreateRoomRequest) (*clientapi.CreateRoomResponse, error) {
	c, err := r.newCreation(ctx, who, &req.Body)
	if err != nil {
		return nil, err
	}
	for {
		c.begin()
		p, err := c.plan(ctx)
		if err == nil {
			err = r.found(ctx, c.head, p)
		}
		var refused *api.Error
		switch {
		case errors.As(err, &refused):
			return nil, err
		case err == nil:
			err = r.published(ctx, p.Events[len(p.Events)-1].pos)
			return &clientapi.CreateRoomResponse{RoomID: c.head.room.ID}, err
		case errors.Is(err, errAliasTaken):
			return nil, api.RoomInUse("The alias %s is taken", c.alias)
		case !errors.Is(err, storage.ErrExists):
			return nil, fmt.Errorf("create room: %w", err)
		}
		// Another process made a room with the same create event in the same
		// millisecond, and so the same ID: the next has another. Whom identity
		// servers have found is known, and they keep no invitation before the ID
		// is known to be free.
	}
}

// errAliasTaken says why a room cannot be made with its alias.
var errAliasTaken = errors.New("the alias is taken")

// birthday is the time of a create event. Where the event's hash is the room's
// ID, no two of this process are the same, so that two rooms that a user makes
// alike at one instant are two. A clock that goes back is followed.
func (r *Rooms) birthday() int64 {
	now := r.env.NowTS()
	b := &r.births
	b.mu.Lock()
	defer b.mu.Unlock()
	const unordered = 1000 // calls overtake each other, but not by a second
	if now < b.clock-unordered {
		b.last = 0
	}
	b.clock = now
	b.last = max(now, b.last+1)
	return b.last
}

// births remembers when the last room was made.
type births struct {
	mu          sync.Mutex
	last, clock int64 // milliseconds: of the room, and what the clock said then
}

// One transaction writes all events of a new room, and nobody else's write is told
// of before that is over. So it is bounded in the events that the request asks for
// and in the bytes of all.
const (
	maxRequested = 256
	maxRoomBytes = 1 << 20
)

// bounded refuses a request that asks for too many events.
func bounded(body *clientapi.CreateRoomBody) error {
	if len(body.InitialState)+len(body.Invite)+len(body.Invite3PID) > maxRequested {
		return api.TooLarge("initial_state, invite and invite_3pid: more than %d entries together", maxRequested)
	}
	return nil
}

// plan builds all events of the new room.
func (c *creation) plan(ctx context.Context) (*Plan, error) {
	drafts, err := c.drafts(ctx)
	if err != nil {
		return nil, err
	}
	p, size := &Plan{Also: c.also}, 0
	for _, d := range drafts {
		if d.Type == event.TypeCreate && c.head.rules.RoomIDIsCreateHash {
			d.TS = c.r.birthday()
		}
		ev, err := c.r.extend(ctx, c.head, d)
		if err != nil {
			return nil, c.refused(d, err)
		}
		if d.Type == event.TypeCreate {
			c.head.room.ID = ev.RoomID
		}
		c.head.applyPlanned(ev)
		p.Events = append(p.Events, ev)
		if size += len(ev.PDU()); size > maxRoomBytes {
			return nil, api.TooLarge("The events of the room have more than %d bytes together", maxRoomBytes)
		}
	}
	return p, c.inviteAddresses(ctx, p)
}

// A creation is a room on its way into being.
type creation struct {
	r      *Rooms
	who    api.Caller
	body   *clientapi.CreateRoomBody
	rules  *roomver.Rules
	head   *head
	preset string
	public bool
	alias  id.RoomAlias // empty if none was asked for
	hold   Also         // what the creator's join has to see to

	// invited are the users to invite. pending are the addresses that are
	// nobody's yet.
	invited []id.UserID
	pending []idclient.Address
}

func (r *Rooms) newCreation(ctx context.Context, who api.Caller, body *clientapi.CreateRoomBody) (*creation, error) {
	if err := bounded(body); err != nil {
		return nil, err
	}
	version := body.RoomVersion.Or(r.defaultVersion)
	rules, ok := roomver.Get(version)
	if !ok {
		return nil, api.UnsupportedRoomVersion("Room version %q is unknown", version)
	}
	c := &creation{r: r, who: who, body: body, public: body.Visibility.Or("private") == "public"}
	c.preset = string(body.Preset.Value)
	switch {
	case body.Preset.Set:
	case c.public:
		c.preset = "public_chat"
	default:
		c.preset = "private_chat"
	}
	for _, u := range body.Invite {
		if err := answerTo(r.MayInvite(u), ""); err != nil {
			return nil, err
		}
	}
	for _, st := range body.InitialState {
		if err := answerTo(r.MayInviteByState(st.Type, st.StateKey.Value, st.Content), ""); err != nil {
			return nil, err
		}
	}
	if body.RoomAliasName.Set {
		var err error
		if c.alias, err = r.aliasOf(body.RoomAliasName.Value); err != nil {
			return nil, err
		}
	}
	c.rules = rules
	return c, c.lookUp(ctx)
}

// begin starts the room, or starts it over.
func (c *creation) begin() {
	c.head = &head{rules: c.rules, state: map[event.StateKey]*stored{}}
	c.head.room = &storage.Room{RoomVersion: c.rules.Version, Public: c.public, CreatedAt: c.r.env.NowTS()}
	if !c.rules.RoomIDIsCreateHash {
		c.head.room.ID = id.RoomID("!" + c.r.env.Rand.Token("room id", string(c.who.User), 18) + ":" + string(c.r.name))
	}
}

// aliasOf makes an alias of this server from its localpart.
//
// Spec: appendices "Room Aliases": any characters but a colon and U+0000.
func (r *Rooms) aliasOf(localpart string) (id.RoomAlias, error) {
	alias, err := id.ParseRoomAlias("#" + localpart + ":" + string(r.name))
	if err == nil && (localpart == "" || alias.Localpart() != localpart) {
		err = errors.New("it is empty or has a colon")
	}
	if err != nil {
		return "", api.InvalidParam("room_alias_name: %s", err)
	}
	return alias, nil
}

// drafts lists the events of the new room in their order.
//
// Spec: client-server createRoom, steps 1 to 8.
func (c *creation) drafts(ctx context.Context) ([]Draft, error) {
	creator, rules := c.who.User, c.head.rules
	// trusted_private_chat: invitees are like the creator. Creators are forever,
	// and so only those whom the request names, no identity server.
	var equals, creators []id.UserID
	if c.preset == "trusted_private_chat" {
		equals, creators = c.invited, c.body.Invite
	}
	create, err := createContent(rules, creator, c.body.CreationContent, creators)
	if err != nil {
		return nil, api.BadJSON("creation_content: %s", err)
	}
	override, err := c.withoutCreators(ctx, c.body.PowerLevelContentOverride, create)
	if err != nil {
		return nil, api.BadJSON("power_level_content_override: %s", err)
	}
	levels, err := powerLevels(rules, creator, equals, override)
	if err != nil {
		return nil, api.BadJSON("power_level_content_override: %s", err)
	}
	join, hold, err := c.r.memberContent(ctx, creator, "join", api.Opt[string]{})
	if err != nil {
		return nil, err
	}
	c.hold = hold
	out := []Draft{
		c.state(event.TypeCreate, "", create.Encode()),
		c.state(event.TypeMember, string(creator), join.Encode()),
		c.state(event.TypePowerLevels, "", levels.Encode()),
	}
	if c.alias != "" {
		out = append(out, c.state("m.room.canonical_alias", "", raw.Object{"alias": c.alias}.Encode()))
	}
	out = append(out, c.presetDrafts()...)
	for _, s := range c.body.InitialState {
		key := s.StateKey.Or("")
		if key == "" && (c.body.Name.Set && s.Type == "m.room.name" || c.body.Topic.Set && s.Type == "m.room.topic") {
			continue // overridden by name and topic
		}
		out = append(out, c.state(s.Type, key, s.Content))
	}
	if c.body.Name.Set {
		out = append(out, c.state("m.room.name", "", raw.Object{"name": c.body.Name.Value}.Encode()))
	}
	if c.body.Topic.Set {
		out = append(out, c.state("m.room.topic", "", topicContent(c.body.Topic.Value).Encode()))
	}
	invites, err := c.invites(ctx)
	return append(out, invites...), err
}

// presetDrafts are the state events of the preset, but for those that
// initial_state takes the place of.
func (c *creation) presetDrafts() []Draft {
	p := presets[c.preset]
	var out []Draft
	for _, d := range []Draft{
		c.state(event.TypeJoinRules, "", raw.Object{"join_rule": p.joinRule}.Encode()),
		c.state("m.room.history_visibility", "", raw.Object{"history_visibility": p.visibility}.Encode()),
		c.state("m.room.guest_access", "", raw.Object{"guest_access": p.guests}.Encode()),
	} {
		given := slices.ContainsFunc(c.body.InitialState, func(s clientapi.CreateRoomInitialState) bool {
			return s.Type == d.Type && s.StateKey.Or("") == ""
		})
		if !given {
			out = append(out, d)
		}
	}
	return out
}

// invites are the invitations, one for each user. One of the creator, who is
// in the room already, is for the rules to refuse.
func (c *creation) invites(ctx context.Context) ([]Draft, error) {
	var out []Draft
	for _, u := range c.invited {
		content, _, err := c.r.memberContent(ctx, u, "invite", api.Opt[string]{})
		if err != nil {
			return nil, err
		}
		if c.body.IsDirect.Value {
			content["is_direct"] = true
		}
		out = append(out, c.state(event.TypeMember, string(u), content.Encode()))
	}
	return out, nil
}

func (c *creation) state(typ, key string, content raw.Raw) Draft {
	return Draft{Sender: c.who.User, Type: typ, StateKey: &key, Content: content}
}

// refused says what is wrong with the initial state that a request implies.
//
// Spec: client-server createRoom, 400 M_INVALID_ROOM_STATE.
func (c *creation) refused(d Draft, err error) error {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return api.InvalidRoomState("%s: %s", d.Type, refusal.Reason)
	}
	return answerTo(err, c.head.room.ID)
}

// also records what a new room has besides its events: its alias, and its
// place in the published room directory.
func (c *creation) also(ctx context.Context, tx *storage.Writer) error {
	err := c.hold(ctx, tx)
	if errors.Is(err, storage.ErrConflict) {
		// The profile has just changed. Identity servers have been asked for this
		// room, and people have mail from them: it is not planned again.
		err = tx.PutJob(ctx, JobProfile, string(c.who.User), nil, 0, c.r.env.NowTS())
	}
	if err != nil || c.alias == "" {
		return err
	}
	err = tx.InsertAlias(ctx, storage.Alias{
		Alias: c.alias, RoomNID: c.head.room.NID, Creator: c.who.User, CreatedAt: c.r.env.NowTS(),
	})
	if errors.Is(err, storage.ErrExists) {
		return errAliasTaken
	}
	return err
}

// found writes a new room. Nobody else can know it yet, so it needs no lane.
func (r *Rooms) found(ctx context.Context, h *head, p *Plan) error {
	room := *h.room
	err := r.db.Write(ctx, func(tx *storage.Writer) (err error) {
		room = *h.room
		if room.NID, err = tx.NextID(ctx, "rooms"); err != nil {
			return err
		}
		h.room.NID = room.NID
		if err := tx.InsertRoom(ctx, &room); err != nil {
			return err
		}
		return r.writeBatch(ctx, tx, &room, nil, p)
	})
	if err != nil {
		return err
	}
	h.written(&room)
	r.heads.put(h)
	return nil
}
