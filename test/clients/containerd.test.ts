import { containerdSuite } from "../support/containerd.suite.ts";

await containerdSuite({
  title: "containerd 1.6",
  containerd: "containerd",
  ctr: "ctr",
  pullOptions: [],
});

await containerdSuite({
  title: "containerd 2",
  containerd: "containerd-2",
  ctr: "ctr-2",
  pullOptions: ["--local"],
});
