// The conformance suite of the specification's release 1.1.1, as a module whose version and
// checksums are pinned. It holds no code: test/support/go-tools.ts builds what it requires.
module berth.invalid/conformance/released

go 1.20

require github.com/opencontainers/distribution-spec/conformance v0.0.0-20250123160558-a139cc423184
