/* Who is typing in a channel; an empty line of the same height while nobody is, so that nothing jumps. */
import { useMembers, useMessages } from "@/lib/contexts";
import { listed } from "@/lib/words";

export function TypingLine({ channel }: { readonly channel: string }) {
  const users = useMessages((messages) => messages.typing.get(channel));
  const { nameOf } = useMembers(channel);
  const names = [...(users?.keys() ?? [])].map(nameOf);
  return (
    <p className="typing" role="status">
      {names.length > 0 && `${listed(names)} ${names.length === 1 ? "is" : "are"} typing…`}
    </p>
  );
}
