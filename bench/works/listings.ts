/** What is asked without content: the version check, tags and the catalog. */
import { tagsRepository } from "../dataset.ts";
import { loadWork } from "../load.ts";
import { tagCount } from "../settings.ts";
import type { Work } from "../work.ts";
import { registries, servers } from "../work.ts";
import { verifyNames } from "./verify.ts";

export function apiVersion(): Work {
  return loadWork({
    id: "api-version",
    title: "`/v2/`",
    contestants: servers,
    checked: "status 200",
    paths: () => ["/v2/"],
    verify: () => {},
  });
}

export function tagsPage(): Work {
  return loadWork({
    id: "tags-page",
    title: "tags/list?n=100 of 10,000 tags",
    // Distribution 2 has no pages of tags: it ignores `n` and answers with all of them.
    contestants: ["berth", "distribution-3"],
    checked: "100 different tags",
    paths: () => [`/v2/${tagsRepository}/tags/list?n=100`],
    verify: (answer) => verifyNames(answer, "tags", 100),
  });
}

export function tagsWhole(): Work {
  return loadWork({
    id: "tags-whole",
    title: "whole tags/list of 10,000 tags",
    contestants: registries,
    checked: "10,000 different tags",
    paths: () => [`/v2/${tagsRepository}/tags/list`],
    verify: (answer) => verifyNames(answer, "tags", tagCount),
  });
}

export function catalogPage(): Work {
  return loadWork({
    id: "catalog-page",
    title: "_catalog?n=100 of 2,000 repositories",
    contestants: registries,
    checked: "100 different repositories",
    paths: () => ["/v2/_catalog?n=100"],
    verify: (answer) => verifyNames(answer, "repositories", 100),
  });
}
