/** Parts of the dashboard that are files of their own: shown as soon as their file is there. */
import type { QueryClient } from "@tanstack/react-query";
import { useEffect, useState, type ComponentType, type ReactNode } from "react";
import { Coming, Failure } from "./parts";

export interface Later<P> {
  (props: P): ReactNode;
  /** Fetches the file before anybody asks for the part. */
  load: () => Promise<void>;
  /** Reads what the part shows at this address, if its file says what that is. */
  begin: (client: QueryClient, path: string, search: string) => Promise<void>;
}
interface Brought<P> {
  default: ComponentType<P>;
  begin?: (client: QueryClient, path: string, search: string) => Promise<unknown>;
}

/** As React's `lazy`, which holds back what is there until its place holder was seen for 300 ms. `instead` keeps the place. */
export function later<P extends object>(bring: () => Promise<Brought<P>>, instead: ReactNode = <Coming />): Later<P> {
  let Known: ComponentType<P> | undefined;
  const load = async () => {
    Known ??= (await bring()).default;
  };
  const begin: Later<P>["begin"] = async (...at) => void (await (await bring()).begin?.(...at));
  const Part = (props: P) => {
    const [, setThere] = useState(Known !== undefined);
    const [failed, setFailed] = useState<string>();
    useEffect(() => void load().then(() => setThere(true), () => setFailed("a file of the dashboard could not be read; it may have been replaced by a newer one")), []);
    if (Known) return <Known {...props} />;
    return failed ? <Failure error={failed} again={() => window.location.reload()} /> : instead;
  };
  return Object.assign(Part, { load, begin });
}
