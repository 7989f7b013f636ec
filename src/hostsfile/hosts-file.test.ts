import assert from "node:assert/strict";
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { HostsFile, type HostsFileOptions, type HostsFs, systemHostsFs } from "./hosts-file.ts";

const asRoot = process.geteuid?.() === 0;
const longer = Buffer.from("127.0.0.1 localhost\n127.1.1.1 cart.shop\n");
const original = "127.0.0.1 localhost\n";

test("HostsFile.update() replaces the file and keeps mode and owner", async () => {
  using folder = hostsFolder();
  chmodSync(folder.hosts, 0o755);
  const before = lstatSync(folder.hosts);
  const file = await open(folder);
  assert.equal(await file.update(() => longer), true);
  const after = lstatSync(folder.hosts);
  assert.deepEqual(readFileSync(folder.hosts), longer);
  assert.notEqual(after.ino, before.ino);
  assert.deepEqual([after.mode, after.uid, after.gid], [before.mode, before.uid, before.gid]);
  assert.deepEqual(readdirSync(folder.path), ["hosts"]);
});

test("HostsFile.update() writes nothing when the bytes are equal", async () => {
  using folder = hostsFolder();
  const file = await open(folder);
  const { ino, mtimeMs } = lstatSync(folder.hosts);
  assert.equal(await file.update(() => "unchanged"), false);
  assert.equal(await file.update((bytes) => Buffer.from(bytes)), false);
  assert.deepEqual([lstatSync(folder.hosts).ino, lstatSync(folder.hosts).mtimeMs], [ino, mtimeMs]);
});

test("HostsFile.update() writes in place when the file has another link", async () => {
  using folder = hostsFolder();
  linkSync(folder.hosts, join(folder.path, "twin"));
  assert.equal(await (await open(folder)).update(() => longer), true);
  assert.deepEqual(readFileSync(join(folder.path, "twin")), longer);
});

for (const errno of ["EBUSY", "EXDEV", "EPERM", "EACCES", "EROFS"]) {
  test(`HostsFile.update() writes in place when rename says ${errno}`, async () => {
    using folder = hostsFolder();
    const { ino } = lstatSync(folder.hosts);
    const file = await open(folder, { rename: () => Promise.reject(systemError(errno)) });
    assert.equal(await file.update(() => longer), true);
    assert.equal(await file.update(() => Buffer.from("short\n")), true);
    assert.equal(readFileSync(folder.hosts, "utf8"), "short\n");
    assert.equal(lstatSync(folder.hosts).ino, ino);
    assert.deepEqual(readdirSync(folder.path), ["hosts"]);
  });
}

test("HostsFile.update() writes in place when the folder takes no temporary file", async () => {
  using folder = hostsFolder();
  const open_ = (path: string, flags: number, mode?: number) =>
    mode === undefined ? systemHostsFs.open(path, flags) : Promise.reject(systemError("EROFS"));
  assert.equal(await (await open(folder, { open: open_ })).update(() => longer), true);
  assert.deepEqual(readFileSync(folder.hosts), longer);
});

test("HostsFile.update() leaves the old file when the new one cannot be written whole", async () => {
  using folder = hostsFolder();
  const file = await open(
    folder,
    tornWrites((path) => path.includes(".localizer-")),
  );
  await assert.rejects(
    file.update(() => longer),
    { code: "unavailable", message: /no space is left$/ },
  );
  assert.equal(readFileSync(folder.hosts, "utf8"), original);
  assert.deepEqual(readdirSync(folder.path), ["hosts"]);
});

test("HostsFile.update() puts the old bytes back when a write in place is torn", async () => {
  using folder = hostsFolder();
  const faults = { ...tornWrites((path) => path === folder.hosts), rename: () => Promise.reject(systemError("EBUSY")) };
  await assert.rejects(
    (await open(folder, faults)).update(() => longer),
    { code: "unavailable" },
  );
  assert.equal(readFileSync(folder.hosts, "utf8"), original);
});

test("HostsFile.update() starts over when somebody else was faster", async () => {
  using folder = hostsFolder();
  let seen = 0;
  const file = await open(folder);
  const written = await file.update((bytes) => {
    if (seen++ === 0) writeFileSync(folder.hosts, `${original}10.0.0.1 editor\n`);
    return Buffer.concat([bytes, Buffer.from("127.1.1.1 ours\n")]);
  });
  assert.equal(written, true);
  assert.equal(readFileSync(folder.hosts, "utf8"), `${original}10.0.0.1 editor\n127.1.1.1 ours\n`);
  assert.deepEqual(readdirSync(folder.path), ["hosts"]);
});

test("HostsFile.update() gives up after five changes by others", async () => {
  using folder = hostsFolder();
  let seen = 0;
  const file = await open(folder);
  const update = file.update(() => {
    writeFileSync(folder.hosts, "x".repeat(++seen));
    return longer;
  });
  await assert.rejects(update, { code: "conflict" });
  assert.equal(seen, 5);
  assert.equal(readFileSync(folder.hosts, "utf8"), "xxxxx");
});

test("HostsFile.update() hands the old bytes to beforeWrite, and only before a write", async () => {
  using folder = hostsFolder();
  const seen: string[] = [];
  const beforeWrite = async (bytes: Buffer) => void seen.push(bytes.toString());
  const file = await HostsFile.at(folder.hosts, { asRoot, beforeWrite });
  await file.update(() => "unchanged");
  await file.update(() => longer);
  assert.deepEqual(seen, [original]);
});

test("HostsFile.removeLeftover() removes what a killed process left", async () => {
  using folder = hostsFolder();
  writeFileSync(join(folder.path, ".hosts.localizer-4711"), "half");
  await (await open(folder)).removeLeftover(4711);
  assert.deepEqual(readdirSync(folder.path), ["hosts"]);
});

test("HostsFile.at() follows a link once, and the link stays", async () => {
  using folder = hostsFolder();
  const link = join(folder.path, "link");
  symlinkSync("hosts", link);
  const file = await HostsFile.at(link, { asRoot });
  await file.update(() => longer);
  assert.equal(file.path, folder.hosts);
  assert.ok(lstatSync(link).isSymbolicLink());
});

test("HostsFile.at() says not-found for a file that is not there", async () => {
  using folder = hostsFolder();
  await assert.rejects(HostsFile.at(join(folder.path, "none"), { asRoot }), { code: "not-found" });
});

test("HostsFile.read() refuses what is no regular file", async () => {
  using folder = hostsFolder();
  mkdirSync(join(folder.path, "sub"));
  await assert.rejects((await HostsFile.at(join(folder.path, "sub"), { asRoot })).read(), { code: "usage" });
});

function hostsFolder() {
  const folder = temporaryFolder();
  const hosts = join(folder.path, "hosts");
  writeFileSync(hosts, original);
  return { ...folder, hosts };
}

function open(folder: { hosts: string }, faults: Partial<HostsFs> = {}): Promise<HostsFile> {
  const options: HostsFileOptions = { asRoot, fs: { ...systemHostsFs, ...faults } };
  return HostsFile.at(folder.hosts, options);
}

/** The first write of a file stops in the middle; a write of what was there before has room. */
function tornWrites(isMeant: (path: string) => boolean): Pick<HostsFs, "open"> {
  return {
    async open(path, flags, mode) {
      const handle = await systemHostsFs.open(path, flags, mode);
      if (!isMeant(path)) return handle;
      return {
        ...handle,
        async writeAll(bytes) {
          if (!bytes.equals(longer)) return await handle.writeAll(bytes);
          await handle.writeAll(bytes.subarray(0, 25));
          throw systemError("ENOSPC");
        },
        [Symbol.asyncDispose]: () => handle[Symbol.asyncDispose](),
      };
    },
  };
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}
