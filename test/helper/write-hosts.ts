/** Adds and removes a block in /etc/hosts of the mount namespace that it was started in; prints how, as JSON. */
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { type BlockOwner, withBlock } from "../../src/hostsfile/block.ts";
import { HostsFile } from "../../src/hostsfile/hosts-file.ts";
import { hostName } from "../../src/model/host-name.ts";
import { addressAt, parseLoopbackRange } from "../../src/model/loopback.ts";

const path = "/etc/hosts";
const owner: BlockOwner = { pid: process.pid, startTime: "1", bootId: "b", instance: "test" };
const entries = [{ address: addressAt(parseLoopbackRange("127.0.0.0/8"), 65_537), names: [hostName("cart.shop")] }];
const before = { bytes: readFileSync(path), ino: lstatSync(path).ino };
const file = await HostsFile.at(path, { asRoot: true });
await file.update((bytes) => withBlock(bytes, owner, entries));
const written = { text: readFileSync(path, "utf8"), ino: lstatSync(path).ino };
await file.update((bytes) => withBlock(bytes, owner, []));
process.stdout.write(
  JSON.stringify({
    isWritten: written.text.includes("127.1.0.1 cart.shop"),
    isNewFile: written.ino !== before.ino,
    isBack: readFileSync(path).equals(before.bytes),
    leftovers: readdirSync("/etc").filter((name) => name.includes("localizer")),
  }),
);
