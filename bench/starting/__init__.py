"""The first files of a project that is to be measured: `bench init`.

A description of the service's clients comes from one of two sources: the handlers of an application (`candidates`,
`application`, `handlers`), or a session that a browser has recorded (`har`, `packets`, `matching`, `session`). `files`
makes texts of a description. Nothing here connects to a server.
"""
