import { expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { keyOfChain } from "./certificate-chain.ts";
import { certificate, startSeconds } from "./token-support.ts";

const nowMs = startSeconds * 1_000;
const root = certificate("root", { isAuthority: true });
const roots = [new X509Certificate(root.certificate)];
const middle = certificate("middle", { isAuthority: true, issuer: root });
const lower = certificate("lower", { isAuthority: true, issuer: middle });
const signer = certificate("signer", { isAuthority: false, issuer: lower });
const direct = certificate("direct", { isAuthority: false, issuer: root });

const twin = certificate("root", { isAuthority: true });
const forged = certificate("signer", { isAuthority: false, issuer: twin });
/** Says in every field that the real root has issued it. */
const claimed = certificate("signer", {
  isAuthority: false,
  issuer: { certificate: root.certificate, privateKey: twin.privateKey },
});
const underLeaf = certificate("signer", { isAuthority: false, issuer: direct });
const stale = certificate("stale", { isAuthority: false, issuer: root, days: [-9, -1] });
const early = certificate("early", { isAuthority: false, issuer: root, days: [1, 9] });
const staleMiddle = certificate("old", { isAuthority: true, issuer: root, days: [-9, -1] });
const underStale = certificate("signer", { isAuthority: false, issuer: staleMiddle });

const deep = [root];
for (let depth = 0; depth < 6; depth += 1) {
  const issuer = deep.at(-1) ?? root;
  deep.push(certificate(`depth ${depth}`, { isAuthority: true, issuer }));
}
const deepChain = deep.slice(1).toReversed();

const good = [
  ["signed by the root", [direct]],
  ["with the root itself sent along", [direct, root]],
  ["with two intermediates", [signer, lower, middle]],
  ["with intermediates in another order", [signer, middle, lower]],
  ["the root itself", [root]],
] as const;

test.each(good)("a chain %s is followed", (_name, chain) => {
  const key = keyOfChain(
    chain.map(({ base64 }) => base64),
    roots,
    nowMs,
  );
  const expected = new X509Certificate(chain[0].certificate).publicKey;
  expect(key?.equals(expected)).toBe(true);
});

const bad = [
  ["nothing", []],
  ["a gap", [signer, middle]],
  ["no intermediate", [signer]],
  ["another root of the same name", [forged]],
  ["a root's name and key identifier, but not its signature", [claimed]],
  ["another root of the same name, sent along", [forged, twin]],
  ["a real root sent along with a forged one", [forged, twin, root]],
  ["an issuer that is no authority", [underLeaf, direct]],
  ["a signer whose time is over", [stale]],
  ["a signer whose time is to come", [early]],
  ["an intermediate whose time is over", [underStale, staleMiddle]],
  ["more certificates than anybody needs", deepChain],
] as const;

test.each(bad)("a chain with %s is refused", (_name, chain) => {
  expect(
    keyOfChain(
      chain.map(({ base64 }) => base64),
      roots,
      nowMs,
    ),
  ).toBeUndefined();
});

test.each([[7], [null], [""], ["!!!"], ["AAAA"], [[direct.base64]], [direct.base64, "junk"]])(
  "an x5c of %p is refused",
  (...x5c) => {
    expect(keyOfChain(x5c, roots, nowMs)).toBeUndefined();
  },
);

test("a root whose time is over vouches for nobody", () => {
  const afterMs = nowMs + 6 * 86_400_000;
  const young = certificate("young", { isAuthority: false, issuer: root, days: [-5, 9] });
  expect(keyOfChain([young.base64], roots, nowMs)).toBeDefined();
  expect(keyOfChain([young.base64], roots, afterMs)).toBeUndefined();
});
