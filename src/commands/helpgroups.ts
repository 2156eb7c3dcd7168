/** Which commands stand together in the help, in the order in which people meet them. */
import { Help, type Command, type Option } from "commander";

/** Commands by heading; one that is not here stands at the end. */
const GROUPS: readonly (readonly [heading: string, commands: readonly string[]])[] = [
  ["All forwards:", ["up", "down", "status", "ls", "logs", "events", "wait", "run", "attach", "env"]],
  ["One forward:", ["stop", "start", "restart", "port", "url", "open"]],
  ["The file:", ["init", "import", "check", "config", "allow", "hosts", "schema"]],
  ["The cluster:", ["doctor", "rbac", "prune", "demo"]],
  ["Other commands:", ["completion", "version", "help"]],
];

const OTHERS = "Other commands:";

/** Headings of flags that many commands have; a command's own come first. */
export const FLAG_GROUPS = {
  own: "Options:",
  file: "What the file comes to:",
  cluster: "Where it leads:",
  common: "Common options:",
} as const;

const FLAG_ORDER: readonly string[] = Object.values(FLAG_GROUPS);

/** Puts each command that `program` has by now into its group. */
export function groupCommands(program: Command): void {
  for (const command of program.commands) command.helpGroup(groupOf(command.name()));
}

/** For `configureHelp`: groups and commands in the order of the tables, not in that in which they were made. */
export const ORDERED: Partial<Help> = {
  visibleCommands: (command) =>
    new Help().visibleCommands(command).sort((a, b) => rankOf(a.name()) - rankOf(b.name())),
  groupItems(unsorted, visible, groupNameOf) {
    const found = [...new Help().groupItems(unsorted, visible, groupNameOf)];
    return new Map(found.sort(([a], [b]) => headingRank(a) - headingRank(b)));
  },
};

/** Of flags in a row: a command's own come first. */
export function flagRank({ helpGroupHeading = FLAG_GROUPS.own }: Option): number {
  return FLAG_ORDER.indexOf(helpGroupHeading);
}

function groupOf(name: string): string {
  return GROUPS.find(([, commands]) => commands.includes(name))?.[0] ?? OTHERS;
}

function rankOf(name: string): number {
  const at = GROUPS.flatMap(([, commands]) => commands).indexOf(name);
  return at === -1 ? Infinity : at;
}

function headingRank(heading: string): number {
  const at = FLAG_ORDER.indexOf(heading);
  return at === -1 ? GROUPS.findIndex(([name]) => name === heading) : at;
}
