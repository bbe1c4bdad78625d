// SPDX-License-Identifier: Apache-2.0
//
// Two people with two devices each talk encrypted through matrix-js-sdk and its
// Rust crypto: cross-signing, secret storage, key backup, and a device that comes
// later and reads what was said before. Usage: node matrix_js_sdk.mjs BASE_URL
import assert from "node:assert/strict";
import * as sdk from "matrix-js-sdk";
import { decodeRecoveryKey } from "matrix-js-sdk/lib/crypto-api/recovery-key.js";
import { logger } from "matrix-js-sdk/lib/logger.js";

const base = process.argv[2];
const password = "correct horse battery staple";
logger.setLevel?.("error");

/** A device of a user: logged in, encrypting, syncing. */
class Device {
    constructor(client, secrets) {
        this.client = client;
        this.secrets = secrets;
        this.failures = [];
    }

    static async login(user, deviceId, recoveryKey) {
        const unauthenticated = sdk.createClient({ baseUrl: base });
        const login = await unauthenticated.loginRequest({
            type: "m.login.password", identifier: { type: "m.id.user", user }, password, device_id: deviceId,
        });
        const secrets = { key: recoveryKey && decodeRecoveryKey(recoveryKey) };
        const client = sdk.createClient({
            baseUrl: base, userId: login.user_id, deviceId: login.device_id, accessToken: login.access_token,
            cryptoCallbacks: {
                getSecretStorageKey: async ({ keys }) => [Object.keys(keys)[0], secrets.key],
                cacheSecretStorageKey: (_id, _info, key) => { secrets.key = key; },
            },
        });
        const device = new Device(client, secrets);
        await client.initRustCrypto({ useIndexedDB: false });
        client.on(sdk.MatrixEventEvent.Decrypted, (event, err) => {
            if (event.isDecryptionFailure()) device.failures.push(`${event.getId()}: ${err ?? event.decryptionFailureReason}`);
        });
        await client.startClient({ initialSyncLimit: 20 });
        await device.until("the first sync", () => client.isInitialSyncComplete());
        return device;
    }

    /** Waits until a condition holds; asks again at each event of the client. */
    async until(what, holds) {
        const end = Date.now() + 45_000;
        while (!(await holds())) {
            if (Date.now() > end) throw new Error(`${this.client.getUserId()} on ${this.client.getDeviceId()} waited in vain for ${what}; not decrypted: ${this.failures}`);
            await new Promise((resolve) => setTimeout(resolve, 25));
        }
    }

    async say(room, body) {
        await this.client.sendMessage(room, { msgtype: "m.text", body });
    }

    async hears(room, body) {
        await this.until(`"${body}"`, () => (this.client.getRoom(room)?.getLiveTimeline().getEvents() ?? [])
            .some((e) => e.getContent().body === body && e.isEncrypted() && !e.isDecryptionFailure()));
    }
}

async function register(name) {
    const client = sdk.createClient({ baseUrl: base });
    const user = `${name}-${process.pid}`;
    await client.registerRequest({ username: user, password, inhibit_login: true, auth: { type: "m.login.dummy" } });
    return user;
}

const authenticate = (device) => async (request) => {
    await request({
        type: "m.login.password", password, identifier: { type: "m.id.user", user: device.client.getUserId() },
    });
};

/** Makes cross-signing, secret storage and a key backup; returns the recovery key. */
async function bootstrap(device) {
    const crypto = device.client.getCrypto();
    const key = await crypto.createRecoveryKeyFromPassphrase();
    device.secrets.key = key.privateKey;
    await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: authenticate(device) });
    await crypto.bootstrapSecretStorage({
        createSecretStorageKey: async () => key, setupNewSecretStorage: true, setupNewKeyBackup: true,
    });
    assert.ok(await crypto.isCrossSigningReady(), "cross-signing is ready");
    assert.ok(await crypto.isSecretStorageReady(), "secret storage is ready");
    await device.until("the key backup", async () => (await crypto.getActiveSessionBackupVersion()) !== null);
    return key.encodedPrivateKey;
}

const step = (text) => console.log(`matrix-js-sdk: ${text}`);

const [aliceName, bobName] = [await register("alice"), await register("bob")];
const alice = await Device.login(aliceName, "PHONE");
const bob = await Device.login(bobName, "PHONE");
const recoveryKey = await bootstrap(alice);
await bootstrap(bob);
step("cross-signing, secret storage and backups are there");

const { room_id: room } = await alice.client.createRoom({
    preset: "private_chat", invite: [bob.client.getUserId()], is_direct: true,
    initial_state: [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }],
});
await bob.until("the invitation", () => bob.client.getRoom(room)?.getMyMembership() === "invite");
await bob.client.joinRoom(room);
await alice.until("bob's join", () => alice.client.getRoom(room)?.getMember(bob.client.getUserId())?.membership === "join");
for (let i = 0; i < 10; i++) {
    const [from, to] = i % 2 ? [bob, alice] : [alice, bob];
    await from.say(room, `message ${i}`);
    await to.hears(room, `message ${i}`);
}
step("both talk encrypted");

const typing = bob.client.sendTyping(room, true, 20_000);
await alice.until("bob's typing", () => alice.client.getRoom(room).getMember(bob.client.getUserId()).typing);
await typing;
const last = bob.client.getRoom(room).getLiveTimeline().getEvents().at(-1);
await bob.client.sendReadReceipt(last);
await alice.until("bob's receipt", () => alice.client.getRoom(room).getEventReadUpTo(bob.client.getUserId(), true) === last.getId());
await alice.client.setRoomTag(room, "m.favourite", { order: 0.5 });
await alice.until("the tag", () => alice.client.getRoom(room).tags["m.favourite"]);
await alice.client.setAccountData("example.setting", { on: true });
await alice.until("the account data", () => alice.client.getAccountData("example.setting")?.getContent().on === true);
step("typing, receipts, tags and account data arrive");

// The client remembers what it knew of the backup, so the server is asked.
await alice.until("keys in the backup", async () => (await alice.client.http.authedRequest("GET", "/room_keys/version")).count > 0);
const later = await Device.login(aliceName, "LAPTOP", recoveryKey);
const crypto = later.client.getCrypto();
await later.until("the user's public keys", () => crypto.userHasCrossSigningKeys(undefined, true));
await crypto.bootstrapCrossSigning({});
await crypto.loadSessionBackupPrivateKeyFromSecretStorage();
await crypto.checkKeyBackupAndEnable();
const restored = await crypto.restoreKeyBackup();
assert.ok(restored.imported > 0, "sessions come from the backup");
for (const event of later.client.getRoom(room).getLiveTimeline().getEvents()) {
    if (event.isDecryptionFailure()) await event.attemptDecryption(later.client.getCrypto(), { isRetry: true });
}
await later.hears(room, "message 9");
later.failures.length = 0; // of before the keys came
step("a device that comes later reads what was said before");

await bob.until("the new device", async () => (await bob.client.getCrypto().getUserDeviceInfo([alice.client.getUserId()]))
    .get(alice.client.getUserId())?.has("LAPTOP"));
const trust = await bob.client.getCrypto().getDeviceVerificationStatus(alice.client.getUserId(), "LAPTOP");
assert.ok(trust?.signedByOwner, "the new device is signed by its owner");
await bob.say(room, "welcome");
await later.hears(room, "welcome");
await later.say(room, "thank you");
await bob.hears(room, "thank you");
for (const device of [alice, bob, later]) assert.deepEqual(device.failures, [], "everything could be decrypted");
step("done");
for (const device of [alice, bob, later]) device.client.stopClient();
process.exit(0);
