"""What happens to a visitor's chat: a question is asked, a person is waited for, an answer is judged.

In: a `Chat` and what the customer did. Out: the next `Chat`. It exists so that the page, which calls it, only
draws, and so that nothing is lost when the bot, the journal or the browser fails in the middle.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chatbot.desk import Author, Case, Desk, Outcome
from chatbot.domain import Action, Exchange, Reply
from chatbot.errors import ChatbotError, UserError, trace
from chatbot.protocols import Journal, Responder
from chatbot.ui.show import Chat, entries

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Visits:
    """What a customer can do, on a bot, a journal and a desk."""

    responder: Responder
    journal: Journal
    desk: Desk

    def ask(self, chat: Chat, text: str) -> Chat:
        """The chat after `text` was answered and kept. It never raises: a failure is logged, without the text,
        and becomes an exchange with no reply. An answer that could not be kept is still given, but not a
        hand-over: no person would come. Where an agent has the conversation, the agent gets the text."""
        failed = replace(chat, entries=(*chat.entries, Exchange(text)))
        try:
            case, reply = self._case(chat), None
            if case is None or case.agent is None:
                reply = self.responder.reply(chat.conversation, text)
                case = self._case(chat)  # an agent may have come meanwhile
            if reply is None or (case is not None and case.agent is not None):
                said = self.desk.say(chat.conversation_id, Author.CUSTOMER, text)
                return replace(chat, entries=(*chat.entries, said), case=case)
        except Exception as failure:  # noqa: BLE001
            logger.error("A question could not be answered:\n%s", trace(failure))
            return failed
        exchange, conversation_id = Exchange(text, reply), chat.conversation_id
        handed_over = reply.decision.action is Action.HAND_OVER
        try:
            conversation_id, number = self._keep(conversation_id, text, reply)
            exchange = replace(exchange, number=number)
            if handed_over:
                self.journal.hand_over(conversation_id, reply.decision.reason)
                case = self.desk.case(conversation_id)
        except Exception as failure:  # noqa: BLE001
            logger.error("An exchange could not be kept:\n%s", trace(failure))
            if handed_over:
                return failed
        wait = self.desk.usual_wait() if handed_over else chat.wait
        chat = replace(chat, conversation_id=conversation_id, case=case, wait=wait, blamed=None)
        return replace(chat, entries=(*chat.entries, exchange))

    def _case(self, chat: Chat) -> Case | None:
        """As it stands now: another page, or a program, may have handed the conversation over."""
        try:
            return self.desk.case(chat.conversation_id) if chat.conversation_id else None
        except ChatbotError as failure:
            if chat.case is not None:
                raise
            logger.error("Whether an agent has a conversation could not be read:\n%s", trace(failure))
            return None

    def _keep(self, conversation_id: str, text: str, reply: Reply) -> tuple[str, int]:
        """The conversation and the number of an exchange that is kept now: in a new conversation where there was
        none, or where it was deleted while its page was open."""
        if conversation_id:
            try:
                return conversation_id, self.journal.record(conversation_id, text, reply)
            except UserError:
                logger.info("A conversation was deleted while its page was open; it goes on as a new one")
        conversation_id = self.journal.open(reply.language)
        return conversation_id, self.journal.record(conversation_id, text, reply)

    def found_again(self, chat: Chat, conversation_id: str, undone: Sequence[int]) -> Chat:
        """The chat with a conversation that the journal kept; as it is where the journal cannot tell."""
        try:
            exchanges = self.journal.exchanges(conversation_id)
            kept = entries([e for e in exchanges if e.number not in undone], self.desk.messages(conversation_id))
            case = self.desk.case(conversation_id)
            wait = self.desk.usual_wait() if case is not None else None
        except ChatbotError as failure:
            logger.error("A conversation could not be read:\n%s", trace(failure))
            return chat
        if not exchanges:
            return chat
        chat = replace(chat, conversation_id=conversation_id, entries=kept, undone=tuple(undone))
        return replace(chat, case=case, wait=wait)

    def looked_after(self, chat: Chat) -> Chat | None:
        """The chat after a look at its hand-over; None where nothing has changed."""
        again = self.found_again(chat, chat.conversation_id, chat.undone)
        same = again.case == chat.case and len(again.entries) == len(chat.entries)
        return None if same else again

    def leave_contact(self, chat: Chat, contact: str) -> Chat:
        """Raises ChatbotError where it could not be kept."""
        self.desk.leave_contact(chat.conversation_id, contact.strip())
        return replace(chat, case=self.desk.case(chat.conversation_id))

    def give_up(self, chat: Chat) -> Chat:
        """Do not wait for a person any longer. Raises ChatbotError where that could not be kept."""
        try:
            self.desk.close(chat.conversation_id, Outcome.WITHDRAWN)
        except UserError:  # closed by an agent a moment ago
            logger.info("A case was closed before its customer gave up")
        return replace(chat, case=None)

    def judge(self, chat: Chat, number: int, liked: bool | None, comment: str = "") -> Chat:
        """Keep a thumb for an exchange; after a thumb down the page asks why. Raises ChatbotError where it could
        not be kept."""
        self.journal.feedback(number, liked, comment)
        return replace(chat, blamed=number if liked is False and not comment else None)
