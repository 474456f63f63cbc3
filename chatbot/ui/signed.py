"""Pages on which somebody who is signed in acts in no other name, whatever a request says.

In: the events of a page. Out: the same, with the account's name where the page's box for a name
(`elem_id="agent"`) is an input. The box is shown and cannot be changed then, but a browser may send what it wants.
"""

from typing import Any

from chatbot.ui.stubless import gr

NAME = "agent"  # elem_id of the box


class SignedBlocks(gr.Blocks):
    """Gradio's, but for who acts."""

    async def process_api(
        self, block_fn: Any, inputs: list[Any], state: Any = None, request: Any = None, **more: Any
    ) -> dict[str, Any]:
        name = getattr(request, "username", None)
        if name:
            function = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
            asked = zip(function.inputs, inputs, strict=False)  # too few or too many are Gradio's to refuse
            inputs = [name if block.elem_id == NAME else given for block, given in asked]
        done: dict[str, Any] = await super().process_api(block_fn, inputs, state, request, **more)
        return done
