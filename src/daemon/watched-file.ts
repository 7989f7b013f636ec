/** A file as the hosts guard looks at it: its version by stat, hints by a watch on its folder. */
import { watch } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { errnoOf } from "../errors.ts";
import type { WatchedFile } from "./hosts-guard.ts";

/** The file at that path; links are followed, but only changes in the folder that the path names are hinted at. */
export function watchedFile(path: string): WatchedFile {
  return {
    async version() {
      try {
        const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
        return [dev, ino, size, mtimeNs, ctimeNs].join(":");
      } catch (error) {
        if (errnoOf(error) === "ENOENT") return undefined;
        throw error;
      }
    },
    read: () => readFile(path),
    watch(changed) {
      try {
        const name = basename(path);
        // The folder: a file that is replaced by rename takes a watch of its own with it.
        const watcher = watch(dirname(path), { persistent: false }, (_event, file) => {
          if (file === null || file === name) changed();
        });
        watcher.on("error", () => watcher.close());
        return { [Symbol.dispose]: () => watcher.close() };
      } catch {
        // No watches left, or none on this file system: the version is looked at all the same.
        return { [Symbol.dispose]() {} };
      }
    },
  };
}
