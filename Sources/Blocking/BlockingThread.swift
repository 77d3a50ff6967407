import Glibc

/// A serial executor with a thread of its own, so that blocking C calls never hold a thread of the shared pool.
///
/// An actor keeps it in a `let` and answers `unownedExecutor` with `asUnownedSerialExecutor()`. The thread ends when the last
/// reference goes; no job is ever lost.
public final class BlockingThread: SerialExecutor {
  private let worker: Worker

  /// Starts the thread; `name` is what `ps -L` shows, cut to the 15 bytes that Linux keeps.
  public init(name: String) {
    worker = Worker(name: name)
  }

  deinit { worker.close() }

  public func enqueue(_ job: consuming ExecutorJob) { worker.enqueue(job) }

  public func asUnownedSerialExecutor() -> UnownedSerialExecutor { worker.asUnownedSerialExecutor() }

  /// Lets the thread end as soon as it has nothing left to run; later jobs still run, on a thread started for them.
  public func close() { worker.close() }
}

/// What the thread itself holds on to: jobs refer to their executor without owning it, and the owner may go away inside a job.
private final class Worker: SerialExecutor {
  private struct State {
    var jobs: [UnownedJob] = []
    var isClosed = false
    var isRunning = true
  }

  private let name: String
  private let state = Monitor(State())

  init(name: String) {
    self.name = name
    start()
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let mustStart = state.change { state in
      state.jobs.append(job)
      defer { state.isRunning = true }
      return !state.isRunning
    }
    if mustStart { start() }
  }

  func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

  func close() { state.change { $0.isClosed = true } }

  private func start() {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    // The thread owns this reference and releases it when it ends.
    let reference = Unmanaged.passRetained(self).toOpaque()
    let code = pthread_create(
      &thread, &attributes,
      { raw in
        guard let raw else { return nil }
        Unmanaged<Worker>.fromOpaque(raw).takeRetainedValue().run()
        return nil
      }, reference)
    precondition(code == 0, "the system gives no thread: errno \(code)")
  }

  private func run() {
    // What pthread_setname_np does, which the Glibc module leaves out.
    let comm = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    if comm >= 0 {
      _ = Array(name.utf8.prefix(15)).withUnsafeBytes { write(comm, $0.baseAddress, $0.count) }
      Glibc.close(comm)
    }
    let executor = asUnownedSerialExecutor()
    while true {
      let jobs: [UnownedJob] = state.wait { state in
        if state.jobs.isEmpty && !state.isClosed { return nil }
        defer { state.jobs = [] }
        state.isRunning = !state.jobs.isEmpty
        return state.jobs
      }
      // Closed and done; `enqueue` starts another thread should a job still come.
      if jobs.isEmpty { return }
      for job in jobs { job.runSynchronously(on: executor) }
    }
  }
}

/// A value behind a pthread mutex and its condition, which need stable addresses (and which ThreadSanitizer, unlike `Mutex`, knows).
private struct Monitor<Value>: ~Copyable, @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let value = UnsafeMutablePointer<Value>.allocate(capacity: 1)

  init(_ initial: Value) {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
    value.initialize(to: initial)
  }

  deinit {
    value.deinitialize(count: 1)
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    value.deallocate()
    condition.deallocate()
    mutex.deallocate()
  }

  /// Changes the value and wakes the waiting thread.
  func change<Result>(_ body: (inout Value) -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    pthread_cond_signal(condition)
    return body(&value.pointee)
  }

  /// Waits until `body` gives a result.
  func wait<Result>(until body: (inout Value) -> Result?) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      if let result = body(&value.pointee) { return result }
      pthread_cond_wait(condition, mutex)
    }
  }
}
