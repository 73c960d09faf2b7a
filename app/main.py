"""The service as the environment configures it: `uvicorn app.main:app` runs it.

What is wrong with the environment is raised at import, as `app.settings.SettingsError`.
"""

from app.asgi import create_app
from app.settings import read_settings

__all__ = ["app", "create_app", "sio"]

app = create_app(read_settings())
sio = app.engineio_server
