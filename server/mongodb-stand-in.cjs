// As much of a MongoDB as a start needs, on a machine that has none: the build keeps what V8 compiles meanwhile.
"use strict";

const { randomUUID } = require("node:crypto");
const { createServer } = require("node:net");
const { setTimeout: wait } = require("node:timers/promises");
const { BSON } = require("mongodb");

/** Of the wire protocol: the driver's first message is of the old kind, all that follow are of the new one. */
const OLD_QUERY = 2004;
const OLD_REPLY = 1;
const MESSAGE = 2013;
const HEADER = 16;

/** A replica set that keeps nothing, and tells of one kind of change: the reports of nodes, which they wait for. */
async function mongodbStandIn() {
  const changes = [];
  const sockets = new Set();
  const server = createServer((socket) => {
    let pending = Buffer.alloc(0);
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      pending = Buffer.concat([pending, bytes]);
      while (pending.length >= 4 && pending.length >= pending.readInt32LE(0)) {
        const request = pending.subarray(0, pending.readInt32LE(0));
        pending = pending.subarray(request.length);
        void answer(commandOf(request)).then((document) => socket.write(replyTo(request, BSON.serialize(document))));
      }
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `127.0.0.1:${server.address().port}`;

  async function answer(command) {
    const time = new BSON.Timestamp({ t: Math.floor(Date.now() / 1000), i: 1 });
    const reply = { ok: 1, n: 1, operationTime: time };
    const cursor = (documents, id = 0) => ({ id: BSON.Long.fromInt(id), ns: "galley.x", firstBatch: documents });
    const [name] = Object.keys(command);
    switch (name) {
      case "hello":
      case "ismaster":
        return { ...reply, ...member(address) };
      case "buildInfo":
        return { ...reply, version: "8.0.21" };
      case "aggregate":
        return { ...reply, cursor: cursor([], command.pipeline[0].$changeStream ? 1 : 0) };
      case "listCollections":
        return { ...reply, cursor: cursor(collections(command.filter)) };
      case "update":
        if (command.update === "_nodes") changes.push(changeOf(command, time));
        return reply;
      case "getMore":
        if (changes.length === 0) await wait(20);
        return { ...reply, cursor: { ...cursor([], 1), nextBatch: changes.splice(0) } };
      default:
        return { ...reply, cursor: cursor([]) };
    }
  }

  return {
    url: `mongodb://${address}/galley?replicaSet=rs`,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function member(address) {
  const limits = { maxBsonObjectSize: 16777216, maxMessageSizeBytes: 48000000, maxWriteBatchSize: 100000 };
  const set = { setName: "rs", setVersion: 1, hosts: [address], me: address, primary: address };
  return {
    isWritablePrimary: true,
    ...set,
    minWireVersion: 0,
    maxWireVersion: 21,
    logicalSessionTimeoutMinutes: 30,
    ...limits,
  };
}

/** Whichever is asked for is there. */
function collections({ name }) {
  return name === undefined ? [] : [{ name, type: "collection", info: { uuid: new BSON.UUID(randomUUID()) } }];
}

function changeOf({ update, updates: [{ q, u }] }, clusterTime) {
  const ns = { db: "galley", coll: update };
  return { operationType: "insert", clusterTime, ns, documentKey: q, fullDocument: { ...q, ...u } };
}

function commandOf(request) {
  if (request.readInt32LE(12) === MESSAGE) return BSON.deserialize(request.subarray(HEADER + 5));
  const nameEnd = request.indexOf(0, HEADER + 4);
  return BSON.deserialize(request.subarray(nameEnd + 9));
}

function replyTo(request, document) {
  const old = request.readInt32LE(12) === OLD_QUERY;
  // The flags and the kind of the one section; or flags, cursor, start and the count of documents.
  const before = Buffer.alloc(old ? 20 : 5);
  if (old) before.writeInt32LE(1, 16);
  const header = Buffer.alloc(HEADER);
  header.writeInt32LE(HEADER + before.length + document.length, 0);
  header.writeInt32LE(request.readInt32LE(4), 8);
  header.writeInt32LE(old ? OLD_REPLY : MESSAGE, 12);
  return Buffer.concat([header, before, document]);
}

module.exports = { mongodbStandIn };
