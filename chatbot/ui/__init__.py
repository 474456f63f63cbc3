"""The pages: a customer's chat. Only these modules, and app.py, know Gradio.

Gradio reads its environment when it is first imported, so that its reports home are switched off here, before
any module of this package can import it.
"""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
