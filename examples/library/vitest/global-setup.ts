import { up } from "kfwd";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    apiUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const forwards = await up({ names: ["api"], waitTimeout: "2m" });
  project.provide("apiUrl", forwards.api.url);
  return () => forwards.$close();
}
