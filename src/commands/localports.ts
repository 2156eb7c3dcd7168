/** Local ports for forwards that nobody has chosen ports for. Pure. */

/** AirPlay's on macOS, and those that browsers refuse to speak HTTP to. */
const BAD = [5000, 7000, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6697, 10080];

/** Ports below are root's on most systems. */
const FIRST = 1024;

/** Ports from here on are given to clients by Linux. */
const EPHEMERAL = 32_768;

/** What is added to a port that cannot be the same here: 80 becomes 8080, 443 becomes 8443. */
const SHIFT = 8_000;

/** A chooser that gives the port itself where it may be used, else the next one that may; none twice. */
export function localPorts(): (wanted: number) => number | "auto" {
  const taken = new Set(BAD);
  return (wanted) => {
    const start = wanted < FIRST || wanted >= EPHEMERAL ? SHIFT + (wanted % 1000) : wanted;
    for (let port = start; port < EPHEMERAL; port++) {
      if (taken.has(port)) continue;
      taken.add(port);
      return port;
    }
    return "auto";
  };
}
