import { dlopen } from "bun:ffi";

/** The C library by its names on Linux with glibc, with musl, and on macOS. */
const libraries = [
  "libc.so.6",
  "libc.musl-x86_64.so.1",
  "libc.musl-aarch64.so.1",
  "libSystem.B.dylib",
];

/** What the runtime reads when it starts its first thread for file operations. */
const variable = "UV_THREADPOOL_SIZE";

/**
 * Lets so many file operations wait for the disk at once; the runtime's own number is that of the
 * processors. Two syncs that take their time would hold up every other push, and every pull whose
 * bytes are not in memory.
 *
 * The environment's number wins. Only a process that has done no file operation yet can be told:
 * one that runs from its sources has read these, so `scripts/run.mjs` tells it from outside.
 */
export function sizeThreadPool(threads: number): void {
  // The runtime reads the environment of the C library; `process.env` is a copy.
  for (const library of libraries) {
    try {
      const { symbols } = dlopen(library, {
        setenv: { args: ["cstring", "cstring", "i32"], returns: "i32" },
      });
      symbols.setenv(cString(variable), cString(String(threads)), 0);
      return;
    } catch {
      // Another system. Where none of them is, the runtime's number stays.
    }
  }
}

function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}
