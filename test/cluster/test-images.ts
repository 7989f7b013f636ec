/**
 * The images that every test cluster holds: the test application, the same program as the
 * one that keeps a pod's namespaces, and Debian's sshd.
 */
import { readFile } from "node:fs/promises";
import type { Image } from "./image-archive.ts";
import { filesBelow } from "./sshd-files.ts";

/** Runs `serve` unless the pod says otherwise; see app/main.go. Pods need `imagePullPolicy: Never`. */
export const testAppImage = "localhost/localizer-testapp:1";

/** What the runtime starts for each pod. */
export const pauseImage = "localhost/pause:1";

/** Debian's sshd, `/bin/sh`, grep and cat. It has no users: `/etc/passwd` is the pod's business. */
export const sshdImage = "localhost/localizer-sshd:1";

/** Makes the image of sshd from the folder that holds its files. */
export async function sshdImageOf(folder: string): Promise<Image> {
  const files = await filesBelow(folder);
  return {
    name: sshdImage,
    files: [...files].map(([path, content]) => ({ type: "file", path, mode: 0o755, content })),
    entrypoint: ["/usr/sbin/sshd", "-D", "-e"],
  };
}

/** Makes both images from the built test application, the one for sandboxes first. */
export async function testImages(testApp: string): Promise<readonly Image[]> {
  const content = await readFile(testApp);
  const program = {
    files: [{ type: "file", path: "testapp", mode: 0o755, content }],
    entrypoint: ["/testapp"],
  } as const;
  return [
    { ...program, name: pauseImage, command: ["pause"] },
    { ...program, name: testAppImage, command: ["serve"] },
  ];
}
