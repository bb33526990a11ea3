/**
 * Which group of a partitioned task queue the next poll goes to, as the server asks.
 *
 * P1  A group without a poll comes first; among groups that have one, chance by weight decides.
 * P2  Only a snapshot newer than the last one counts.
 */
import type { PollerGroupInfo, PollerGroupsInfo } from '@perdure/proto/temporal/api/taskqueue/v1/message';

export class PollerGroups {
  #groups: readonly PollerGroupInfo[] = [];
  #version = -1;
  readonly #polls = new Map<string, number>();

  /** Takes what a poll's answer says. */
  update(info: PollerGroupsInfo | undefined): void {
    const version = info?.version?.toNumber() ?? 0;
    if (info === undefined || version <= this.#version) return; // P2
    this.#version = version;
    this.#groups = info.pollerGroups ?? [];
  }

  /** How many polls it takes to see all groups. */
  get count(): number {
    return this.#groups.length;
  }

  /** Empty text: any. Give it to `done` when the poll has ended. */
  next(random: () => number = Math.random): string {
    const ids = this.#groups.map(({ id = '' }) => id);
    const id = ids.find((each) => !this.#polls.get(each)) ?? this.#byWeight(random()); // P1
    this.#polls.set(id, (this.#polls.get(id) ?? 0) + 1);
    return id;
  }

  done(id: string): void {
    this.#polls.set(id, (this.#polls.get(id) ?? 1) - 1);
  }

  #byWeight(chance: number): string {
    let left = chance * this.#groups.reduce((sum, { weight = 0 }) => sum + weight, 0);
    for (const { id = '', weight = 0 } of this.#groups) {
      left -= weight;
      if (left < 0) return id;
    }
    return this.#groups.at(-1)?.id ?? '';
  }
}
