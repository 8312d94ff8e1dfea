/* A range that begins before what is kept: what is missing there is unknown, not nothing. */
import { whenOf } from "@/lib/time";

export function CutNote({ range }: { readonly range: { readonly cut: boolean; readonly kept_from: string } }) {
  return range.cut ? <p className="field-hint">Windows of this width are kept from {whenOf(range.kept_from)} on; before, nothing is known.</p> : null;
}
