/** Topics of `kfwd help` that are no commands. */

/** Topic and what it explains. */
export const TOPICS = [
  ["exit-codes", "what the exit status of a command says"],
  ["environment", "variables that kfwd reads"],
  ["file", "the keys of forwards.yaml"],
] as const;

export type TopicName = (typeof TOPICS)[number][0];

export function isTopic(name: string): name is TopicName {
  return TOPICS.some(([topic]) => topic === name);
}
