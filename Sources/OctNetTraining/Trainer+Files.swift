import OctNetCheckpoint
import OctNetData
import OctNetSupport

/// What a run writes, and in which order.
extension Trainer {
  /// Takes back what was written after the state; files that are as the state says are left alone. The settings come last:
  /// until they are there the run is the one it was. Where nothing is to be done they are not changed either.
  func restoreFiles() throws {
    guard let directory else { return }
    try results.write(to: directory.resultsPath, onlyIfChanged: true)
    try log.write(to: directory, onlyIfChanged: true)
    if nothingToDo == nil {
      try RunMachine.note(in: directory)
      try StrictJSON.write(configuration, to: directory.configurationPath, onlyIfChanged: true)
    }
  }

  /// The state comes after the files it stands for: a run killed before it goes on from the previous one and writes them
  /// again. The results, which the state holds too, come last: what they call finished is complete.
  func writeCheckpoints(isBest: Bool) throws {
    guard let directory else { return try writeState() }
    try log.write(to: directory)
    let checkpoint = Checkpoint(
      model: configuration.model, dataName: configuration.data, classNames: data.train.classNames,
      labelFingerprint: images.labels.fingerprint, normalization: configuration.normalization,
      trainingImages: configuration.trainingImages, state: evaluatedNetwork.stateDictionary())
    for path in isBest ? [directory.lastPath, directory.bestPath] : [directory.lastPath] {
      try checkpoint.write(to: path)
      onEvent(.checkpointWritten(path: path))
    }
    try writeState()
    try results.write(to: directory.resultsPath)
  }

  /// Leaves in the run's results that training itself has failed; whoever resumes the run takes it back. What failed says
  /// more than a disk that is full now, too.
  func noteFailure(_ error: OctNetError) {
    guard let directory, case .training = error else { return }
    var failed = results
    failed.failure = error.description
    try? failed.write(to: directory.resultsPath)
  }

  /// Of all ranks together, of which the first writes.
  func writeState() throws {
    updater.gatherState()
    savedPosition = position
    guard let directory else { return }
    let state = TrainingState(
      configuration: configuration, position: position, log: log, results: results,
      labels: images.labels, network: network, optimizer: updater.optimizer, average: updater.average?.network
    )
    try state.write(to: directory.statePath)
    onEvent(.checkpointWritten(path: directory.statePath))
  }
}
