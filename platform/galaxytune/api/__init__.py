"""The functions and classes that notebooks and the command line call: searches, studies, models.

Nothing here prints. A search in a notebook shows a progress display, and warnings go to Python's
`warnings` and `logging`. Standard output and garbage collection stay as they are. While Ray runs,
the environment variables that Ray reads and the handlers of Ctrl-C and SIGTERM are changed; they
are restored at the end. Training and loading a network change torch's global random state. A
package that takes long to load, such as torch or Ray, is loaded by the first use that needs it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
