/** Which URLs may be opened in a browser, and where. Pure. */

/**
 * The URL in the form in which it may reach a program that opens it; undefined for what is not http or https. It comes
 * from a file that anyone may have written, and on Windows it passes through PowerShell, which reads `$` and backticks.
 */
export function webUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, href } = new URL(text);
  if (protocol !== "http:" && protocol !== "https:") return undefined;
  return href.replaceAll("$", "%24").replaceAll("`", "%60").replaceAll('"', "%22");
}

/** What is known of the place where the command runs. */
export interface Desk {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
}

/** Why nothing is opened here; undefined: a browser it is. */
export function whyNoBrowser({ env, platform }: Desk): string | undefined {
  const has = (name: string): boolean => Boolean(env[name]);
  if (env["BROWSER"] === "none") return "BROWSER is none";
  if (has("BROWSER")) return undefined;
  if (has("CI")) return "this is a CI job";
  if (has("SSH_CONNECTION") || has("SSH_TTY") || has("SSH_CLIENT")) return "this is a session over ssh";
  const hasDisplay = has("DISPLAY") || has("WAYLAND_DISPLAY") || has("WSL_DISTRO_NAME");
  if (platform !== "darwin" && platform !== "win32" && !hasDisplay) return "there is no display";
  return undefined;
}
