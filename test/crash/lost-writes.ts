import { collectScenarios } from "./collect-scenarios.ts";
import { diskScenarios, type NamedScenario } from "./disk-scenarios.ts";
import { type AlsoWrong, searchPowerCuts } from "./power-cut-search.ts";
import { type Figure, none, type Rig, type RigOptions } from "./rig.ts";
import { undoScenarios } from "./undo-scenarios.ts";

/** How far a search goes. */
interface Reach {
  /** Subsets of what was not synced, at one moment, beside the extremes. */
  readonly choicesMax: number;
  /** Of the operations at which something else goes wrong: every so many. */
  readonly every: Readonly<Record<AlsoWrong["kind"], number>>;
  readonly seedsOfConcurrent: number;
  readonly statesMin: number;
}

const reaches: Readonly<Record<RigOptions["form"], Reach>> = {
  short: { choicesMax: 0, every: everyOf(31), seedsOfConcurrent: 1, statesMin: 800 },
  long: { choicesMax: 12, every: everyOf(1), seedsOfConcurrent: 3, statesMin: 20_000 },
};

/** In the short form: enough to see each kind of operation once. */
const shortScenarios: ReadonlySet<string> = new Set([
  "deletion of a tag",
  "deletion of a manifest",
  "deletion of a blob",
  "mount",
  "upload that is resumed",
  "push beside a deletion",
  "collect a deleted image",
  "undo of a deletion, after collection",
]);

/** Of slow scenarios: as many disks as the others have in the same time. */
const reachesOfSlow: Readonly<Record<RigOptions["form"], Pick<Reach, "choicesMax" | "every">>> = {
  short: { choicesMax: 0, every: everyOf(83) },
  long: { choicesMax: 6, every: { killed: 1, "held up": 5 } },
};

function everyOf(count: number): Reach["every"] {
  return { killed: count, "held up": count };
}

export const lostWrites: Rig = {
  name: "lost-writes",
  fault: "simulated disk: every operation × subsets of what was not synced",
  run: (options) => {
    const scenarios = [...diskScenarios, ...collectScenarios, ...undoScenarios].filter(
      ({ name }) => options.form === "long" || shortScenarios.has(name),
    );
    return new Search(options).run(scenarios);
  },
};

class Search {
  readonly #options: RigOptions;
  readonly #violations: string[] = [];
  #states = 0;

  constructor(options: RigOptions) {
    this.#options = options;
  }

  async run(scenarios: readonly NamedScenario[]): Promise<readonly Figure[]> {
    const reach = reaches[this.#options.form];
    for (const scenario of scenarios) {
      const isConcurrent = scenario.isConcurrent === true;
      for (let more = 0; more < (isConcurrent ? reach.seedsOfConcurrent : 1); more += 1) {
        await this.#search(scenario, { seed: this.#options.seed + more });
        const kind = isConcurrent ? "held up" : "killed";
        await this.#searchBeside(scenario, { seed: this.#options.seed + more, kind });
      }
      this.#options.say(`${scenario.name}: ${this.#states} states so far`);
    }
    return [
      {
        name: "disks looked at",
        value: this.#states,
        target: "≥ 20,000",
        holds: this.#states >= reach.statesMin,
      },
      none("violations", this.#violations),
    ];
  }

  /** The scenario with something else that goes wrong, at one operation after the other. */
  async #searchBeside(
    scenario: NamedScenario,
    { seed, kind }: { readonly seed: number; readonly kind: AlsoWrong["kind"] },
  ): Promise<void> {
    const step = this.#reachOf(scenario).every[kind];
    for (let at = step === 1 ? 1 : 1 + (seed % step); ; at += step) {
      if (!(await this.#search(scenario, { seed, also: { kind, at } }))) return;
    }
  }

  async #search(
    scenario: NamedScenario,
    one: { readonly seed: number; readonly also?: AlsoWrong },
  ): Promise<boolean> {
    const { choicesMax } = this.#reachOf(scenario);
    const result = await searchPowerCuts({ ...one, scenario, choicesMax });
    const also = one.also === undefined ? "" : `, ${one.also.kind} at operation ${one.also.at}`;
    this.#states += result.states;
    this.#violations.push(...result.violations.map((text) => `${text} (seed ${one.seed}${also})`));
    return result.hasHappened;
  }

  #reachOf({ isSlow = false }: NamedScenario): Pick<Reach, "choicesMax" | "every"> {
    return (isSlow ? reachesOfSlow : reaches)[this.#options.form];
  }
}
