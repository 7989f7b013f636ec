/**
 * The images that every test cluster holds: the test application, and the same program as the
 * one that keeps a pod's namespaces.
 */
import { readFile } from "node:fs/promises";
import type { Image } from "./image-archive.ts";

/** Runs `serve` unless the pod says otherwise; see app/main.go. Pods need `imagePullPolicy: Never`. */
export const testAppImage = "localhost/localizer-testapp:1";

/** What the runtime starts for each pod. */
export const pauseImage = "localhost/pause:1";

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
