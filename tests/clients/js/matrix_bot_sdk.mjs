// SPDX-License-Identifier: Apache-2.0
//
// A bot made with matrix-bot-sdk that answers. Usage: node matrix_bot_sdk.mjs BASE_URL
import assert from "node:assert/strict";
import Module, { createRequire } from "node:module";

// This bot does not encrypt, and the native library for that is downloaded by a
// script that may not run.
const load = Module._load;
Module._load = (name, ...rest) => (name === "@matrix-org/matrix-sdk-crypto-nodejs" ? {} : load(name, ...rest));
const sdk = createRequire(import.meta.url)("matrix-bot-sdk");

const { AutojoinRoomsMixin, LogLevel, LogService, MatrixAuth, MemoryStorageProvider, MatrixClient } = sdk;
LogService.setLevel(LogLevel.ERROR);
const base = process.argv[2];
const auth = new MatrixAuth(base);
const start = async (name) => {
    const made = await auth.passwordRegister(`${name}-${process.pid}`, "correct horse battery staple");
    return new MatrixClient(base, made.accessToken, new MemoryStorageProvider());
};

const [bot, person] = [await start("bot"), await start("person")];
AutojoinRoomsMixin.setupOnClient(bot);
bot.on("room.message", async (room, event) => {
    if (event.content?.body === "!ping") await bot.replyText(room, event, "pong");
});
await bot.start();
await person.start();
const room = await person.createRoom({ preset: "private_chat", invite: [await bot.getUserId()] });
const joined = new Promise((resolve) => person.on("room.event", (at, event) => {
    if (at === room && event.type === "m.room.member" && event.content.membership === "join" && event.state_key !== event.creator) resolve();
}));
await joined;
const answered = new Promise((resolve) => person.on("room.message", (at, event) => {
    if (at === room && event.content.body.endsWith("pong")) resolve(event);
}));
await new Promise((resolve) => setTimeout(resolve, 0));
for (let i = 0; i < 100 && (await person.getJoinedRoomMembers(room)).length < 2; i++) await new Promise((r) => setTimeout(r, 100));
await person.sendText(room, "!ping");
const answer = await answered;
assert.equal(answer.sender, await bot.getUserId());
await person.setAccountData("example.setting", { on: true });
assert.deepEqual(await person.getAccountData("example.setting"), { on: true });
await person.sendReadReceipt(room, answer.event_id);
await person.setTyping(room, true, 1000);
console.log("matrix-bot-sdk: done");
process.exit(0);
