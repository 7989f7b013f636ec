/**
 * Makes container images from files, without a registry and without a builder: an archive as
 * `docker save` writes it, of one layer, which `ctr images import` takes.
 */
import { createHash } from "node:crypto";
import { arch } from "node:os";
import { type TarEntry, tarArchive } from "./tar.ts";

/** What an image holds and how it starts. */
export interface Image {
  /** With registry and tag, as pods name it: "localhost/app:1". */
  readonly name: string;
  /** Missing parent directories are added. */
  readonly files: readonly TarEntry[];
  readonly entrypoint: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** "uid" or "uid:gid"; root when absent. */
  readonly user?: string;
  readonly workingDirectory?: string;
}

/** Packs an image. Same image, same bytes. */
export function imageArchive(image: Image): Buffer {
  const layer = tarArchive(withParents(image.files));
  const config = JSON.stringify({
    architecture: goArchitecture(),
    os: "linux",
    created: "1970-01-01T00:00:00Z",
    config: {
      Entrypoint: image.entrypoint,
      Cmd: image.command,
      Env: Object.entries(image.environment ?? {}).map(([name, value]) => `${name}=${value}`),
      User: image.user,
      WorkingDir: image.workingDirectory,
    },
    rootfs: { type: "layers", diff_ids: [`sha256:${sha256(layer)}`] },
    history: [{ created: "1970-01-01T00:00:00Z", created_by: "localizer test cluster" }],
  });
  const configPath = `${sha256(config)}.json`;
  const manifest = JSON.stringify([{ Config: configPath, RepoTags: [image.name], Layers: ["layer.tar"] }]);
  return tarArchive([
    { type: "file", path: configPath, content: config },
    { type: "file", path: "layer.tar", content: layer },
    { type: "file", path: "manifest.json", content: manifest },
  ]);
}

function withParents(files: readonly TarEntry[]): TarEntry[] {
  const known = new Set(files.map((file) => file.path));
  const result: TarEntry[] = [];
  for (const file of files) {
    const names = file.path.split("/").slice(0, -1);
    for (let depth = 1; depth <= names.length; depth++) {
      const path = names.slice(0, depth).join("/");
      if (known.has(path)) continue;
      known.add(path);
      result.push({ type: "directory", path });
    }
    result.push(file);
  }
  return result;
}

function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

/** The name that images give to this machine's processor. */
function goArchitecture(): string {
  return arch() === "x64" ? "amd64" : arch();
}
