// SPDX-License-Identifier: Apache-2.0

package server

import (
	"touchstone.example/api"
	"touchstone.example/generated/clientapi"
	"touchstone.example/generated/extraapi"
	"touchstone.example/generated/fedapi"
	"touchstone.example/server/unfinished"
)

// mountClient is the table of contents of the client-server API: one line for
// each file of the specification. Those that say unfinished wait for their
// slice.
func (s *slices) mountClient(r *api.Router) {
	clientapi.MountAccountData(r, unfinished.AccountData{})
	clientapi.MountAccountDeactivation(r, unfinished.AccountDeactivation{})
	clientapi.MountAdmin(r, unfinished.Admin{})
	clientapi.MountAdministrativeContact(r, unfinished.AdministrativeContact{})
	clientapi.MountAppservicePing(r, unfinished.AppservicePing{})
	clientapi.MountAppserviceRoomDirectory(r, unfinished.AppserviceRoomDirectory{})
	clientapi.MountAuthedContentRepo(r, unfinished.AuthedContentRepo{})
	clientapi.MountBanning(r, s.rooms)
	clientapi.MountCapabilities(r, s.discovery)
	clientapi.MountContentRepo(r, unfinished.ContentRepo{})
	clientapi.MountCreateRoom(r, s.rooms)
	clientapi.MountCrossSigning(r, unfinished.CrossSigning{})
	clientapi.MountDeviceManagement(r, s.accounts)
	clientapi.MountDirectory(r, unfinished.Directory{})
	clientapi.MountEventContext(r, unfinished.EventContext{})
	clientapi.MountFilter(r, s.sync)
	clientapi.MountInviting(r, s.rooms)
	clientapi.MountJoining(r, s.rooms)
	clientapi.MountKeyBackup(r, unfinished.KeyBackup{})
	clientapi.MountKeys(r, unfinished.Keys{})
	clientapi.MountKicking(r, s.rooms)
	clientapi.MountKnocking(r, unfinished.Knocking{})
	clientapi.MountLeaving(r, s.rooms)
	clientapi.MountListJoinedRooms(r, s.rooms)
	clientapi.MountListPublicRooms(r, unfinished.ListPublicRooms{})
	clientapi.MountLogin(r, s.accounts)
	clientapi.MountLoginToken(r, unfinished.LoginToken{})
	clientapi.MountLogout(r, s.accounts)
	clientapi.MountMessagePagination(r, s.rooms)
	clientapi.MountMutualRooms(r, unfinished.MutualRooms{})
	clientapi.MountNotifications(r, unfinished.Notifications{})
	clientapi.MountOAuthServerMetadata(r, unfinished.OAuthServerMetadata{})
	clientapi.MountOldSync(r, unfinished.OldSync{})
	clientapi.MountOpenID(r, unfinished.OpenID{})
	clientapi.MountPasswordManagement(r, unfinished.PasswordManagement{})
	clientapi.MountPeekingEvents(r, unfinished.PeekingEvents{})
	clientapi.MountPolicyServer(r, s.discovery)
	clientapi.MountPresence(r, unfinished.Presence{})
	clientapi.MountProfile(r, s.profiles)
	clientapi.MountPusher(r, unfinished.Pusher{})
	clientapi.MountPushrules(r, s.push)
	clientapi.MountReadMarkers(r, unfinished.ReadMarkers{})
	clientapi.MountReceipts(r, unfinished.Receipts{})
	clientapi.MountRedaction(r, s.rooms)
	clientapi.MountRefresh(r, unfinished.Refresh{})
	clientapi.MountRegistration(r, s.accounts)
	clientapi.MountRegistrationTokens(r, unfinished.RegistrationTokens{})
	clientapi.MountRelations(r, unfinished.Relations{})
	clientapi.MountReportContent(r, unfinished.ReportContent{})
	clientapi.MountRoomEventByTimestamp(r, unfinished.RoomEventByTimestamp{})
	clientapi.MountRoomInitialSync(r, unfinished.RoomInitialSync{})
	clientapi.MountRoomSend(r, s.rooms)
	clientapi.MountRoomState(r, s.rooms)
	clientapi.MountRoomSummary(r, unfinished.RoomSummary{})
	clientapi.MountRoomUpgrades(r, unfinished.RoomUpgrades{})
	clientapi.MountRooms(r, s.rooms)
	clientapi.MountSSOLoginRedirect(r, unfinished.SSOLoginRedirect{})
	clientapi.MountSearch(r, unfinished.Search{})
	clientapi.MountSpaceHierarchy(r, unfinished.SpaceHierarchy{})
	clientapi.MountSupport(r, s.discovery)
	clientapi.MountSync(r, s.sync)
	clientapi.MountTags(r, unfinished.Tags{})
	clientapi.MountThirdPartyLookup(r, unfinished.ThirdPartyLookup{})
	clientapi.MountThirdPartyMembership(r, s.rooms)
	clientapi.MountThreadsList(r, unfinished.ThreadsList{})
	clientapi.MountToDevice(r, unfinished.ToDevice{})
	clientapi.MountTyping(r, unfinished.Typing{})
	clientapi.MountUsers(r, unfinished.Users{})
	clientapi.MountVersions(r, s.discovery)
	clientapi.MountVoip(r, unfinished.Voip{})
	clientapi.MountWellknown(r, s.discovery)
	clientapi.MountWhoami(r, s.accounts)
}

// mountFederation is the table of contents of the server-server API. What only
// policy servers serve is not in it.
func (s *slices) mountFederation(r *api.Router) {
	fedapi.MountBackfill(r, unfinished.FedBackfill{})
	fedapi.MountContentRepository(r, unfinished.FedContentRepository{})
	fedapi.MountEventAuth(r, unfinished.FedEventAuth{})
	fedapi.MountEvents(r, unfinished.FedEvents{})
	fedapi.MountInvitesV1(r, unfinished.FedInvitesV1{})
	fedapi.MountInvitesV2(r, unfinished.FedInvitesV2{})
	fedapi.MountJoinsV1(r, unfinished.FedJoinsV1{})
	fedapi.MountJoinsV2(r, unfinished.FedJoinsV2{})
	fedapi.MountKeysQuery(r, unfinished.FedKeysQuery{})
	fedapi.MountKeysServer(r, unfinished.FedKeysServer{})
	fedapi.MountKnocks(r, unfinished.FedKnocks{})
	fedapi.MountLeavingV1(r, unfinished.FedLeavingV1{})
	fedapi.MountLeavingV2(r, unfinished.FedLeavingV2{})
	fedapi.MountOpenID(r, unfinished.FedOpenID{})
	fedapi.MountPublicRooms(r, unfinished.FedPublicRooms{})
	fedapi.MountQuery(r, unfinished.FedQuery{})
	fedapi.MountSpaceHierarchy(r, unfinished.FedSpaceHierarchy{})
	fedapi.MountThirdPartyInvite(r, unfinished.FedThirdPartyInvite{})
	fedapi.MountTransactions(r, unfinished.FedTransactions{})
	fedapi.MountUserDevices(r, unfinished.FedUserDevices{})
	fedapi.MountUserKeys(r, unfinished.FedUserKeys{})
	fedapi.MountVersion(r, s.discovery)
	fedapi.MountWellknown(r, s.discovery)
}

// mountExtra holds the routes that the specification's documents do not have.
func (s *slices) mountExtra(r *api.Router) {
	extraapi.MountHealth(r, s.discovery)
	extraapi.MountSynapseRegister(r, s.accounts)
}
