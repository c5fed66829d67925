/** Blobs of 60 kB: HEAD as a push asks it, GET as a pull does. */
import { blobsRepository } from "../dataset.ts";
import { loadWork } from "../load.ts";
import { smallBlobBytes } from "../settings.ts";
import type { Context, Work } from "../work.ts";
import { servers } from "../work.ts";
import { verifyDigest } from "./verify.ts";

export function headBlob(): Work {
  return loadWork({
    id: "head-blob",
    title: "HEAD blob",
    contestants: servers,
    method: "HEAD",
    checked: "Content-Length of each of the 64 blobs",
    paths,
    verify: (answer) => {
      const length = answer.headers.get("content-length");
      if (length !== String(smallBlobBytes)) throw new Error(`${answer.path} has ${length} bytes`);
    },
  });
}

export function getSmallBlob(): Work {
  return loadWork({
    id: "get-small-blob",
    title: "GET 60 kB blob",
    contestants: servers,
    checked: "each of the 64 blobs against its digest",
    paths,
    verify: (answer) => verifyDigest(answer, answer.path.split("/").at(-1) ?? ""),
  });
}

function paths({ dataset }: Context): readonly string[] {
  return dataset.smallBlobs.map(({ digest }) => `/v2/${blobsRepository}/blobs/${digest}`);
}
