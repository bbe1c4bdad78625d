// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"touchstone.example/api"
	"touchstone.example/generated/ops"
)

// How large bodies may be, in bytes.
const (
	// bodyDefault is for operations with a few short members.
	bodyDefault = 64 << 10
	// bodyEvent is for the content of any event: 65,536 bytes, each of which may be
	// written with six, as \u0061, and some white space.
	bodyEvent = 7 << 16
	// bodyList is for lists of devices, users, keys or signatures; clients of large
	// accounts send a few thousand at once.
	bodyList = 1 << 20
	// bodyBatch is for uploads in batches whose size the client chooses: encrypted
	// messages to devices, sessions of a key backup.
	bodyBatch = 4 << 20
	// bodyTransaction is that of 50 PDUs and 100 EDUs of 65,536 bytes.
	//
	// Spec: server-server sendTransaction.
	bodyTransaction = 10 << 20
)

// bodies are the limits of operations that need more than others.
var bodies = map[*api.Operation]int64{
	&ops.ClientSendMessage:           bodyEvent,
	&ops.ClientSetRoomStateWithKey:   bodyEvent,
	&ops.ClientSetAccountData:        bodyEvent,
	&ops.ClientSetAccountDataPerRoom: bodyEvent,
	&ops.ClientSetProfileField:       bodyEvent,
	&ops.ClientSetRoomTag:            bodyEvent,

	&ops.ClientCreateRoom:                   bodyList,
	&ops.ClientDeleteDevices:                bodyList,
	&ops.ClientQueryKeys:                    bodyList,
	&ops.ClientClaimKeys:                    bodyList,
	&ops.ClientUploadKeys:                   bodyList,
	&ops.ClientUploadCrossSigningSignatures: bodyList,

	&ops.ClientSendToDevice:          bodyBatch,
	&ops.ClientPutRoomKeys:           bodyBatch,
	&ops.ClientPutRoomKeysByRoomID:   bodyBatch,
	&ops.ClientPutRoomKeyBySessionID: bodyEvent,

	// One event, and the stripped state of an invited room beside it.
	&ops.FedSendInviteV1:             bodyList,
	&ops.FedSendInviteV2:             bodyList,
	&ops.FedSendJoinV2:               bodyEvent,
	&ops.FedSendLeaveV2:              bodyEvent,
	&ops.FedSendKnock:                bodyEvent,
	&ops.FedExchangeThirdPartyInvite: bodyEvent,
	&ops.FedAskPolicyServerToSign:    bodyEvent,
	&ops.FedGetMissingPreviousEvents: bodyList,
	&ops.FedBulkPerspectivesKeyQuery: bodyList,
	&ops.FedClaimUserEncryptionKeys:  bodyList,
	&ops.FedQueryUserEncryptionKeys:  bodyList,
	&ops.FedSendTransaction:          bodyTransaction,
	&ops.ASSendTransaction:           bodyTransaction,

	&ops.IdentityLookupUsersV2: bodyList,
	&ops.IdentityStoreInviteV2: bodyEvent,
	&ops.PushNotify:            bodyEvent, // the content of an event, and its recipients
}

// Body is how large the body of an operation may be. Media is not in this
// table: it is never held in memory.
func (l *Limits) Body(op *api.Operation) int64 {
	if n, ok := bodies[op]; ok {
		return n
	}
	return bodyDefault
}
