/* How long mails wait for each other. */
import { Select } from "@/components/fields";
import { ProblemNote, fieldProblem } from "@/components/parts";
import { useChange } from "../api/preferences";
import { minutesWords } from "../model/preferences";

const CHOICES = [0, 5, 15, 30, 60, 240, 1440];
const AS_IS = "as-is";

interface Props {
  readonly minutes: number | null;
  /** What holds for who chose nothing. */
  readonly usual: number;
}

export function Digest({ minutes, usual }: Props) {
  const change = useChange();
  const choices = minutes === null || CHOICES.includes(minutes) ? CHOICES : [...CHOICES, minutes].toSorted((one, other) => one - other);
  return (
    <>
      <Select
        label="Mails wait for each other"
        value={minutes ?? AS_IS}
        onChange={({ target }) => change.mutate({ what: "digest", minutes: target.value === AS_IS ? null : Number(target.value) })}
        hint="The first few go at once; when there are many, further ones come together in one mail."
        problem={fieldProblem(change.error, "digest_minutes")}
      >
        <option value={AS_IS}>As usual here: {minutesWords(usual)}</option>
        {choices.map((each) => (
          <option key={each} value={each}>
            {each === 0 ? "Never: each by itself" : `For ${minutesWords(each)}`}
          </option>
        ))}
      </Select>
      <ProblemNote error={change.error} fields={["digest_minutes"]} />
    </>
  );
}
