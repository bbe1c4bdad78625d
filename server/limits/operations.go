// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"touchstone.example/api"
	"touchstone.example/generated/ops"
)

// pageOperations are the operations whose answer is one page. Their work is in
// proportion to the answer.
var pageOperations = map[*api.Operation]bool{
	&ops.ClientGetRoomEvents:                            true,
	&ops.ClientGetEventContext:                          true,
	&ops.ClientGetRelatingEvents:                        true,
	&ops.ClientGetRelatingEventsWithRelType:             true,
	&ops.ClientGetRelatingEventsWithRelTypeAndEventType: true,
	&ops.ClientGetThreadRoots:                           true,
	&ops.ClientGetNotifications:                         true,
	&ops.ClientGetSpaceHierarchy:                        true,
	&ops.ClientGetPublicRooms:                           true,
	&ops.ClientQueryPublicRooms:                         true,
	&ops.ClientSearch:                                   true,
	&ops.ClientSearchUserDirectory:                      true,
	&ops.ClientGetKeysChanges:                           true,
	&ops.FedBackfillRoom:                                true,
	&ops.FedGetMissingPreviousEvents:                    true,
	&ops.FedGetSpaceHierarchy:                           true,
	&ops.FedGetPublicRooms:                              true,
	&ops.FedQueryPublicRooms:                            true,
}

// fullStateOperations are the operations whose answer is complete, whatever its size.
var fullStateOperations = map[*api.Operation]bool{
	&ops.ClientGetRoomState:           true,
	&ops.ClientGetMembersByRoom:       true,
	&ops.ClientGetJoinedMembersByRoom: true,
	&ops.ClientInitialSync:            true,
	&ops.ClientRoomInitialSync:        true,
	&ops.ClientQueryKeys:              true,
	&ops.ClientGetRoomKeys:            true,
	&ops.ClientGetRoomKeysByRoomID:    true,
	&ops.FedGetEventAuth:              true,
	&ops.FedGetRoomState:              true,
	&ops.FedGetRoomStateIDs:           true,
	&ops.FedSendJoinV2:                true,
	&ops.FedQueryUserEncryptionKeys:   true,
}

// secretOperations are the operations by which an attacker without an account, or with
// somebody else's session, could guess a secret: a password, a registration or login
// token, a shared secret, a code sent by mail.
var secretOperations = map[*api.Operation]bool{
	&ops.ClientLogin:                   true,
	&ops.ClientRefresh:                 true,
	&ops.ClientRegister:                true,
	&ops.ClientChangePassword:          true,
	&ops.ClientDeactivateAccount:       true,
	&ops.ClientDeleteDevice:            true,
	&ops.ClientDeleteDevices:           true,
	&ops.ClientAdd3PID:                 true,
	&ops.ClientGenerateLoginToken:      true,
	&ops.ClientUploadCrossSigningKeys:  true,
	&ops.ExtraRegisterWithSharedSecret: true,
}
