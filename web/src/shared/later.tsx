/** Parts of the dashboard that are files of their own: shown as soon as their file is there. */
import { useEffect, useState, type ComponentType, type ReactNode } from "react";
import { Failure, Waiting } from "./parts";

export interface Later<P> {
  (props: P): ReactNode;
  /** Fetches the file before anybody asks for the part. */
  load: () => Promise<void>;
}

/** As React's `lazy`, which holds back what is there until its place holder was seen for 300 ms. `instead` keeps the place. */
export function later<P extends object>(bring: () => Promise<{ default: ComponentType<P> }>, instead: ReactNode = <Waiting lines={8} />): Later<P> {
  let Known: ComponentType<P> | undefined;
  const load = async () => {
    Known ??= (await bring()).default;
  };
  const Part = (props: P) => {
    const [, setThere] = useState(Known !== undefined);
    const [failed, setFailed] = useState<string>();
    useEffect(() => void load().then(() => setThere(true), () => setFailed("a file of the dashboard could not be read; it may have been replaced by a newer one")), []);
    if (Known) return <Known {...props} />;
    return failed ? <Failure error={failed} again={() => window.location.reload()} /> : instead;
  };
  return Object.assign(Part, { load });
}
