"""The web page of a board: ``bench leaderboard``.

- ``serve.py`` starts Streamlit on ``main.py``, the script that it runs; ``views/`` holds one page a file.
- ``frames.py``, ``charts.py``, ``compared.py`` and ``pictures.py`` make what pages show, and know nothing of Streamlit.
- ``data.py`` remembers what was read, by the files' times; ``widgets.py`` holds what pages share.

Streamlit is imported by ``serve.py``, ``main.py``, ``views/``, ``data.py``, ``navigation.py`` and ``widgets.py`` alone; the command line imports
none of them.
"""
