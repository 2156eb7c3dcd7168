// playwright.config: export default { globalSetup: "./global-setup.mjs" }
import { up } from "kfwd";

/** What it answers is called when all tests are over. */
export default async function globalSetup() {
  const forwards = await up({ names: ["api"], waitTimeout: "2m" });
  process.env.BASE_URL = forwards.api.url;
  return () => forwards.$close();
}
