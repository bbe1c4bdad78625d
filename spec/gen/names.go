// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// initialisms are written in upper case.
var initialisms = map[string]string{
	"Id": "ID", "Ids": "IDs", "Url": "URL", "Urls": "URLs", "Uri": "URI", "Uris": "URIs", "Json": "JSON",
	"Ip": "IP", "Http": "HTTP", "Ts": "TS", "Ms": "MS", "Sso": "SSO", "Mxc": "MXC", "Msisdn": "MSISDN", "Api": "API",
	"Pdu": "PDU", "Pdus": "PDUs", "Edu": "EDU", "Edus": "EDUs", "Ttl": "TTL", "Tz": "TZ", "Sid": "SID",
	"Mac": "MAC", "Sdp": "SDP", "Acl": "ACL", "Iv": "IV", "Jwt": "JWT", "Oauth": "OAuth", "3pid": "3PID", "Openid": "OpenID",
}

var (
	words = regexp.MustCompile(`[A-Za-z0-9]+`)
	humps = regexp.MustCompile(`[A-Z]+[a-z0-9]*|[a-z0-9]+`)
)

// goName converts a name of the specification to an exported Go name.
func goName(s string) string {
	s = strings.TrimPrefix(s, "m.")
	if rest, ok := strings.CutPrefix(s, "3pid"); ok { // Go names cannot start with a digit
		s = "threepid" + rest
	}
	var b strings.Builder
	for _, word := range words.FindAllString(s, -1) {
		for _, hump := range humps.FindAllString(word, -1) {
			r := []rune(hump)
			r[0] = unicode.ToUpper(r[0])
			hump = string(r)
			if up, ok := initialisms[hump]; ok {
				hump = up
			}
			b.WriteString(hump)
		}
	}
	return b.String()
}

// singular returns the name for one element of a list.
func singular(s string) string {
	switch {
	case s == "":
		return "Item"
	case strings.HasSuffix(s, "ies"):
		return strings.TrimSuffix(s, "ies") + "y"
	case strings.HasSuffix(s, "ss"), strings.HasSuffix(s, "us"), strings.HasSuffix(s, "IDs"):
		return s
	}
	return strings.TrimSuffix(s, "s")
}

// betterNames replaces names that read badly or that conflict with others. Parts of
// a renamed type are looked up under the new name. Two types with the same new
// name become one type; they must be equal.
var betterNames = map[string]map[string]string{
	"clientapi": {
		"ClientServerRequestEmailValidation":               "RequestEmailValidation",
		"ClientServerRequestMSISDNValidation":              "RequestMSISDNValidation",
		"Error":                                            "ErrorObject",
		"GetAccount3PIDsThreepid":                          "AccountThreepid",
		"GetAuthMetadataAccountManagementActionsSupported": "AccountManagementAction",
		"GetCapabilitiesCapabilities":                      "ServerCapabilities",
		"GetJoinedMembersByRoomJoined":                     "JoinedMember",
		"GetLoginFlowsFlow":                                "LoginFlow",
		"GetNotificationsNotification":                     "Notification",
		"GetPushersPusher":                                 "PusherInfo",
		"GetRoomStateWithKeyFormat":                        "StateFormat",
		"GetSpaceHierarchyRoom":                            "HierarchyRoom",
		"GetThreadRootsInclude":                            "ThreadsInclude",
		"GetWellknownPolicyPublicKeys":                     "PolicyPublicKeys",
		"GetWellknownSupportContact":                       "SupportContact",
		"HierarchyRoomChildrenState":                       "HierarchyChild",
		"InitialSyncRoomMessages":                          "InitialMessages",
		"Post3PIDsThreePidCreds":                           "ThreepidCredentials",
		"PostPusherData":                                   "PusherData",
		"PublicRoomsChunk":                                 "PublicRoom",
		"PusherInfoData":                                   "PusherData",
		"QueryKeysDeviceKey":                               "QueriedDeviceKeys",
		"RoomInitialSyncMessages":                          "InitialMessages",
		"SearchBodySearchCategories":                       "SearchCategories",
		"SearchCategoriesRoomEvents":                       "SearchCriteria",
		"SearchCriteriaGroupingsGroupBy":                   "SearchGroupBy",
		"SearchCriteriaOrderBy":                            "SearchOrder",
		"SearchHitContextProfileInfo":                      "SearchProfile",
		"SearchResponseSearchCategories":                   "SearchAnswers",
		"SearchAnswersRoomEvents":                          "SearchRoomEvents",
		"SearchRoomEventsGroup":                            "SearchGroup",
		"SearchRoomEventsResult":                           "SearchHit",
		"ServerCapabilitiesAccountModeration":              "AccountModerationCapability",
		"ServerCapabilitiesProfileFields":                  "ProfileFieldsCapability",
		"ServerCapabilitiesRoomVersions":                   "RoomVersionsCapability",
		"SyncInvitedRoomInviteState":                       "SyncStrippedState",
		"SyncJoinedRoomSummary":                            "SyncRoomSummary",
		"SyncJoinedRoomUnreadNotifications":                "UnreadCounts",
		"SyncJoinedRoomUnreadThreadNotification":           "UnreadCounts",
		"SyncKnockedRoomKnockState":                        "SyncStrippedState",
		"SyncRoomsInvite":                                  "SyncInvitedRoom",
		"SyncRoomsJoin":                                    "SyncJoinedRoom",
		"SyncRoomsKnock":                                   "SyncKnockedRoom",
		"SyncRoomsLeave":                                   "SyncLeftRoom",
	},
	"fedapi": {
		"BulkPerspectivesKeyQueryServerKey": "KeyCriteria",
		"GetSpaceHierarchyChildren":         "HierarchyChildRoom",
		"GetSpaceHierarchyRoom":             "HierarchyRoom",
		"HierarchyRoomChildrenState":        "HierarchyChild",
		"Keys":                              "ServerKeys",
		"PublicRoomsChunk":                  "PublicRoom",
		"QueryUserEncryptionKeysDeviceKey":  "QueriedDeviceKeys",
		"SendTransactionPDU":                "PDUResult",
		"ServerKeysOldVerifyKey":            "OldVerifyKey",
		"ServerKeysVerifyKey":               "VerifyKey",
	},
	"events": {
		"KeyVerificationMRelatesTo": "VerificationRelation",
		"MTextContentBlockItem":     "TextBlock",
		"RoomTopicMTopic":           "TopicBlock",
	},
	"identityapi": {
		"GetTermsPolicy":   "TermsPolicy",
		"TermsPolicyExtra": "TermsDocument",
	},
	"pushapi": {
		"NotifyNotification": "Notification",
	},
}

// enumNames names enums by their values.
var enumNames = map[string]string{
	"can_join,forbidden":                                      "GuestAccess",
	"invited,joined,shared,world_readable":                    "HistoryVisibility",
	"invite,knock,knock_restricted,private,public,restricted": "JoinRule",
	"decimal,emoji":                                           "ShortAuthentication",
	"b,f":                                                     "Direction",
	"ban,invite,join,knock,leave":                             "Membership",
	"ban,invite,join,leave":                                   "OldMembership",
	"content,override,room,sender,underride":                  "PushRuleKind",
	"crop,scale":                                              "ThumbnailMethod",
	"email,msisdn":                                            "Medium",
	"login,register":                                          "SSOAction",
	"no-support,success":                                      "UnbindResult",
	"offline,online,unavailable":                              "PresenceState",
	"private,public":                                          "Visibility",
	"stable,unstable":                                         "Stability",
	"m.fully_read,m.read,m.read.private":                      "ReceiptType",
	"master,self_signing,user_signing":                        "KeyUsage",
	"client,federation":                                       "EventFormat",
}

// name assigns names to all types.
func (p *pkg) name() error {
	taken := map[string]bool{"Client": true}
	claim := func(name string) {
		if taken[name] {
			p.fail("the name %s is taken twice", name)
		}
		taken[name] = true
	}
	for _, f := range p.fileNames() {
		claim(goName(f))
		claim("Mount" + goName(f))
	}
	for _, o := range p.ops {
		claim(o.name + "Request")
		if o.result == nil {
			claim(o.name + "Response")
		} else {
			claim(o.name + "Result")
		}
		for _, r := range o.result {
			if r.json == nil { // otherwise its struct takes the name
				claim(r.name)
			}
		}
	}
	for _, o := range p.objects {
		if o.fixed {
			o.name = p.betterName(o.name)
			if !o.answer {
				claim(o.name)
			}
		}
	}
	p.nameEnums(claim, taken)
	p.nameParts(taken)
	return errors.Join(p.errs...)
}

func (p *pkg) betterName(name string) string {
	if r, ok := betterNames[p.api.pkg][name]; ok {
		return r
	}
	return name
}

// shared reports whether several types have the name intentionally.
func (p *pkg) shared(name string) bool {
	n := 0
	for _, to := range betterNames[p.api.pkg] {
		if to == name {
			n++
		}
	}
	return n > 1
}

func (p *pkg) fileNames() []string {
	files := map[string]bool{}
	for _, o := range p.ops {
		files[o.File] = true
	}
	return slices.Sorted(maps.Keys(files))
}

func (p *pkg) nameEnums(claim func(string), taken map[string]bool) {
	for _, set := range slices.Sorted(maps.Keys(p.enums)) {
		e := p.enums[set]
		if e.name = enumNames[set]; e.name != "" {
			claim(e.name)
		}
	}
}

// nameParts names the structs and enums inside others, from the outside in:
// after the operation and the member, or with the full path if that name is
// taken.
func (p *pkg) nameParts(taken map[string]bool) {
	type pending struct {
		owner *object
		part  string
		name  *string
	}
	var left []pending
	for _, o := range p.objects {
		if !o.fixed {
			left = append(left, pending{o.parent, o.part, &o.name})
		}
	}
	for _, set := range slices.Sorted(maps.Keys(p.enums)) {
		if e := p.enums[set]; e.name == "" {
			left = append(left, pending{e.owner, e.part, &e.name})
		}
	}
	for len(left) > 0 {
		count := map[string]int{}
		short := func(q pending) string {
			if q.owner.short != "" {
				return p.betterName(q.owner.short + q.part)
			}
			return p.betterName(q.owner.name + q.part)
		}
		for _, q := range left {
			if q.owner.name != "" {
				count[short(q)]++
			}
		}
		var later []pending
		names := map[*string]string{}
		for _, q := range left {
			if q.owner.name == "" {
				later = append(later, q)
				continue
			}
			name := short(q)
			if (count[name] > 1 || taken[name]) && !p.shared(name) {
				name = p.betterName(q.owner.name + q.part)
			}
			names[q.name] = name
		}
		for _, q := range left {
			if name, ok := names[q.name]; ok {
				if taken[name] && !p.shared(name) {
					p.fail("the name %s is taken twice", name)
				}
				taken[name] = true
				*q.name = name
			}
		}
		if len(later) == len(left) {
			p.fail("%d types have no name", len(later))
			return
		}
		left = later
	}
}

// link returns the URL of an operation on the website of the specification.
func (p *pkg) link(o *op) string {
	if o.source != "" {
		return o.source
	}
	drop := func(r rune) rune {
		if strings.ContainsRune("/{}.", r) {
			return -1
		}
		return unicode.ToLower(r)
	}
	return fmt.Sprintf("https://spec.matrix.org/%s/%s/#%s%s", p.release, p.page,
		strings.ToLower(o.method), strings.Map(drop, o.path))
}
