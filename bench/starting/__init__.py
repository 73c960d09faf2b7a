"""The first files of a project that is to be measured: `bench init`.

A description of the service's clients comes from one of two sources. The first is an application's handlers:
`candidates`, `application`, `reading`, `handlers`. The second is a session that a browser has recorded: `har`,
`packets`, `matching`, `login`, `session`. `files` makes texts of a description. Nothing here connects to a server.
"""
