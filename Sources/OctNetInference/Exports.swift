// One import brings what a program needs that runs networks: the graph and its layers, the models, checkpoints and
// inference sessions. Neither training nor data sets, studies or reports are compiled with it.
@_exported import OctNetCheckpoint
@_exported import OctNetCore
@_exported import OctNetModels
@_exported import OctNetSupport
